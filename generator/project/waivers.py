"""The breaking changes that were accepted, each with its reason: a file that people read, and may edit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from generator.breaking.contract import RULES
from generator.breaking.rule import Break
from generator.breaking.versions import BEHAVIOUR_RULES
from generator.document import Mapping, Scalar, decode, parse
from generator.document import Sequence as Items
from generator.errors import Finding, InputError, Place, did_you_mean, printable
from generator.project.disk import Disk
from generator.project.paths import WAIVERS, shown

_KEYS = ("rule", "subject", "reason")
_HEADER = """\
# Breaking changes that were accepted, and why: `holdfast breaking` lets them pass. They are yours; take one out when
# nobody compares with what it broke any more.
"""


@dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted change."""

    rule: str
    subject: str
    reason: str
    place: Place

    def accepts(self, found: Break) -> bool:
        """Whether it is about that change; `*` in its subject stands for any text.

        What is told of several RPCs at once is accepted by its own subject, and by one that stands for all of them.
        """
        change = found.change
        fits = any(fnmatchcase(subject, self.subject) for subject in (change.subject, change.also) if subject)
        each = bool(change.rpcs) and all(fnmatchcase(name, self.subject) for name in change.rpcs)
        return self.rule == found.rule.id and (fits or each)


def given(texts: Iterable[str], reason: str) -> tuple[Waiver, ...]:
    """The waivers of the command line, each `RULE:SUBJECT`. Raises InputError for what is none."""
    waivers, findings = [], []
    place = Place("command line")
    for text in dict.fromkeys(texts):
        rule, colon, subject = text.partition(":")
        if not (colon and subject):
            message = f"--allow-breaking takes RULE:SUBJECT, not '{text}'"
            findings.append(Finding(place, "wrong-waiver", message, "copy it from the finding"))
        elif (wrong := _unknown(rule, place)) is not None:
            findings.append(wrong)
        else:
            waivers.append(Waiver(rule, subject, " ".join(printable(reason).split()), place))
    if findings:
        raise InputError(findings)
    return tuple(waivers)


def _unknown(rule: str, place: Place) -> Finding | None:
    known = [*(one.id for one in RULES), *(one.id for one in BEHAVIOUR_RULES)]
    if rule in known:
        return None
    return Finding(place, "unknown-rule", f"there is no rule '{rule}'", did_you_mean(rule, known))


def recorded(disk: Disk) -> tuple[Waiver, ...]:
    """The waivers that the project has. Raises InputError with everything that is wrong with them."""
    file = shown(disk.project, WAIVERS)
    root, findings = parse(decode(disk.read(WAIVERS) or b"", file), file)
    found = list(findings)
    if root is None or (isinstance(root, Scalar) and root.value is None):
        items: Sequence[object] = ()
    elif isinstance(root, Items):
        items = root.items
    else:
        items = ()
        found.append(Finding(root.place, "wrong-waiver", "it is not a list of waivers"))
    waivers = [one for item in items if (one := _waiver(item, found)) is not None]
    if found:
        raise InputError(found)
    return tuple(waivers)


def _waiver(item: object, findings: list[Finding]) -> Waiver | None:
    place = item.place if isinstance(item, Mapping | Items | Scalar) else Place(WAIVERS)
    entries = item.entries if isinstance(item, Mapping) else {}
    texts = {key: entry.node.value for key, entry in entries.items() if isinstance(entry.node, Scalar)}
    if set(texts) != set(_KEYS) or not all(isinstance(text, str) for text in texts.values()):
        findings.append(Finding(place, "wrong-waiver", "a waiver has a rule, a subject and a reason, all of them text"))
        return None
    if (wrong := _unknown(str(texts["rule"]), entries["rule"].place)) is not None:
        findings.append(wrong)
        return None
    return Waiver(str(texts["rule"]), str(texts["subject"]), str(texts["reason"]), place)


def with_waivers(disk: Disk, waivers: Iterable[Waiver]) -> bytes:
    """The project's file with these waivers at its end; of those that it has already, with a reason, nothing is added."""
    content = disk.read(WAIVERS) or b""
    have = recorded(disk)
    known = {(one.rule, one.subject) for one in have}
    if not have:
        content = _HEADER.encode()
    elif not content.endswith(b"\n"):
        content += b"\n"
    for one in waivers:
        if (one.rule, one.subject) not in known:
            lines = [
                f"{key}: {_quoted(value)}"
                for key, value in zip(_KEYS, (one.rule, one.subject, one.reason), strict=True)
            ]
            content += "".join(f"{'  ' if index else '- '}{line}\n" for index, line in enumerate(lines)).encode()
    return content


def _quoted(text: str) -> str:
    """A YAML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
