"""Request metadata: one lower-case, multi-valued view for gRPC metadata and HTTP headers alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def is_request_id(text: str) -> bool:
    """Whether a caller's `x-request-id` is taken over: at most 128 printable ASCII characters, without spaces."""
    return _REQUEST_ID.fullmatch(text) is not None


class Metadata:
    """Pairs of lower-case name and value, in arrival order; values are `str`, `bytes` under `-bin` names."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str | bytes]] = ()) -> None:
        self._pairs: tuple[tuple[str, str | bytes], ...] = tuple((name.lower(), value) for name, value in pairs)

    @classmethod
    def lower(cls, pairs: Sequence[tuple[str, str | bytes]]) -> Metadata:
        """Metadata of pairs whose names are lower-case already."""
        metadata = cls.__new__(cls)
        metadata._pairs = tuple(pairs)  # noqa: SLF001 - its own class
        return metadata

    def get(self, name: str) -> str | bytes | None:
        """The first value under that name, None if there is none."""
        wanted = name.lower()
        for key, value in self._pairs:
            if key == wanted:
                return value
        return None

    def get_all(self, name: str) -> list[str | bytes]:
        """Every value under that name, in arrival order."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key == wanted]

    def text(self, name: str) -> str:
        """The first value under a text name, "" if there is none or it is binary."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def __iter__(self) -> Iterator[tuple[str, str | bytes]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"Metadata({[name for name, _ in self._pairs]})"  # names only: values may be secrets
