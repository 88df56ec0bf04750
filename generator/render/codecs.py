"""The codecs as Python: a module for each .proto file, with a function a message and a few lines a field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from generator.contract.model import Contract, Enum, Field, Message
from generator.plan.model import Plan
from generator.render import imports, layout, naming, parameters
from generator.render.codec_expressions import CODEC, WRITING, Names, decoded, encoded, is_nullable
from generator.render.codec_places import Places
from generator.render.codec_reach import Reach
from generator.render.emit import Import
from generator.render.parameters import ParameterNames, PathsView, TakerView
from generator.render.python import Construct, Expression, docstring, literal

_ANY = Import("typing", "Any")
_FLOATS = ("double", "float")
_OPERAND = "\0"
_VERBS = ("decode", "encode", "take", "paths_of")


@dataclass(frozen=True, slots=True)
class DecodedField:
    """A field on its way in: how to tell that it is there, and the constructor's argument made of it.

    Where null is a value there is a test and an assignment for each name that the JSON may have, else one for both.
    """

    found: tuple[tuple[str, str], ...]  # a statement that opens a block, and the assignment in the block
    counter: str  # the local variable that counts its oneof's members, "" outside one


@dataclass(frozen=True, slots=True)
class EncodedField:
    """A field on its way out; `presence` says when it is written.

    "set": where it is not its default, and then it is in `value`; "float": the same, but for -0.0; "has": where it is
    there; "always"; "chosen": where it is its oneof's member.
    """

    name: str
    read: str  # the expression for it
    presence: str
    bound: bool  # whether `read` must be bound to `value` first
    assignment: str


@dataclass(frozen=True, slots=True)
class EncodedOneof:
    """A oneof on its way out."""

    name: str
    fields: tuple[EncodedField, ...]


@dataclass(frozen=True, slots=True)
class MessageView:
    """The functions of one message; "" for the name of one that is not needed."""

    full_name: str
    docstring: str
    decoder: str
    encoder: str
    decoded: tuple[DecodedField, ...]
    counters: tuple[str, ...]
    encoded: tuple[EncodedField | EncodedOneof, ...]
    entry: bool  # whether a route takes it or gives it
    reads: bool  # whether it has a field that null leaves out
    decodes: str  # the statement that opens the decoder
    encodes: str  # the statement that opens the encoder


@dataclass(frozen=True, slots=True)
class EnumView:
    """An enum's names by number, under the name of its constant."""

    constant: str
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class OneofView:
    """The members of a oneof, under the name of its constant."""

    constant: str
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class ModuleView:
    """One module below gen/codecs."""

    module: str  # dotted, "orders.v1.orders_json"
    proto: str
    docstring: str
    imports: str
    enums: tuple[EnumView, ...]
    oneofs: tuple[OneofView, ...]
    messages: tuple[MessageView, ...]
    takers: tuple[TakerView, ...]
    paths: tuple[PathsView, ...]
    codecs: Mapping[str, Construct]  # by full name, for the messages that a route takes or gives

    @property
    def path(self) -> str:
        """The file's path below gen/codecs."""
        return self.module.replace(".", "/") + ".py"


@dataclass(frozen=True, slots=True)
class CodecsView:
    """Everything below gen/codecs: the modules, and those of the messages that routes take and give."""

    modules: tuple[ModuleView, ...]
    index: Mapping[str, str]  # full name -> module, with a leading dot
    unnamed: tuple[str, ...]  # the modules of messages that no RPC leads to, relative to gen/codecs
    packages: tuple[str, ...]  # folders, below gen/codecs


def views(plan: Plan) -> CodecsView:
    """The codecs of all that the plan's routes need."""
    reach = Reach(plan)
    return _Views(plan.contract, reach, plan.spec.document.spec.server.rest.emit_defaults).views()


class _Views:
    """Makes the views of all modules."""

    def __init__(self, contract: Contract, reach: Reach, emit_defaults: bool) -> None:
        self._contract = contract
        self._reach = reach
        self._emit_defaults = emit_defaults
        self._places = Places.of(contract)

    def views(self) -> CodecsView:
        """All modules, sorted."""
        reach = self._reach
        messages: dict[str, list[Message]] = {}
        enums: dict[str, list[Enum]] = {}
        for message in self._contract.messages.values():
            if any(message.full_name in found for found in (reach.decoded, reach.encoded, reach.asked, reach.masked)):
                messages.setdefault(message.file, []).append(message)
        for enum in self._contract.enums.values():
            if enum.full_name in reach.enums:
                enums.setdefault(enum.file, []).append(enum)
        files = sorted({*messages, *enums}, key=self._places.modules.__getitem__)
        modules = tuple(self._module(file, messages.get(file, []), enums.get(file, [])) for file in files)
        index = {view.full_name: f".{module.module}" for module in modules for view in module.messages if view.entry}
        return CodecsView(modules, dict(sorted(index.items())), _unnamed(self._contract), _packages(modules))

    def _module(self, file: str, messages: list[Message], enums: list[Enum]) -> ModuleView:
        writer = _ModuleWriter(self._contract, self._reach, self._places, file, self._emit_defaults)
        constants = tuple(EnumView(self._places.names[enum.full_name], _enum_names(enum)) for enum in enums)
        functions = tuple(map(writer.message, messages))
        asked = [message for message in messages if message.full_name in self._reach.asked]
        takers = tuple(map(writer.taker, asked))
        masked = [message for message in messages if message.full_name in self._reach.masked]
        paths = tuple(map(writer.paths, masked))
        if constants:
            writer.needed.add(Import("collections.abc", "Mapping"))
        return ModuleView(
            module=self._places.modules[file],
            proto=file,
            docstring=docstring(
                f"The messages of {file} from JSON and to JSON{', and from queries' if asked else ''}."
            ),
            imports=imports.block(writer.needed),
            enums=constants,
            oneofs=tuple(self._oneofs(asked)),
            messages=functions,
            takers=takers,
            paths=paths,
            codecs={view.full_name: _codec(view) for view in functions if view.entry},
        )

    def _oneofs(self, messages: Sequence[Message]) -> Iterator[OneofView]:
        for message in messages:
            for oneof in message.oneofs:
                if len(oneof.fields) > 1:
                    yield OneofView(self._places.oneof(message, oneof.name)[1], frozenset(oneof.fields))


class _ModuleWriter:
    """Makes the views of one module's messages, and collects what they need to import."""

    def __init__(self, contract: Contract, reach: Reach, places: Places, file: str, emit_defaults: bool) -> None:
        self._contract = contract
        self._reach = reach
        self._places = places
        self._names = places.names
        self._file = file
        self._emit_defaults = emit_defaults
        self._bound: dict[tuple[str, str], str] = {}
        own = places.taken.get(file, frozenset())
        self._taken = {*own, *(f"{verb}_{name}" for verb in _VERBS for name in own)}
        self._above = "." * len(places.modules[file].split("."))  # gen/codecs, from the module
        self.needed: set[Import] = set()
        self._expressions = Names(self._runtime, self._decoder, self._encoder, self._named)
        self._parameters = ParameterNames(self._runtime, self._taker, self._paths, self._named)

    def message(self, message: Message) -> MessageView:
        """The view of one message."""
        name = message.full_name
        decoder = f"decode_{self._names[name]}" if name in self._reach.decoded else ""
        encoder = f"encode_{self._names[name]}" if name in self._reach.encoded else ""
        entry = name in self._reach.entries
        oneofs = [oneof.name for oneof in message.oneofs if len(oneof.fields) > 1]
        counters = naming.unique(f"of_{oneof}" for oneof in oneofs)
        self.needed.add(_ANY)
        if decoder:
            self._runtime(CODEC, "UnusualError")
        if encoder:
            self._runtime(WRITING, "Style")
        if entry:
            self._runtime(CODEC, "Generated")
        return MessageView(
            full_name=name,
            docstring=docstring(f"{name}."),
            decoder=decoder,
            encoder=encoder,
            decoded=tuple(self._decoded(field, counters) for field in message.fields) if decoder else (),
            counters=tuple(counters.values()),
            encoded=tuple(self._encoded(message)) if encoder else (),
            entry=entry,
            reads=not all(map(is_nullable, message.fields)),
            decodes=layout.signature(f"def {decoder}", ["json: Any"], " -> dict[str, Any]:", 0),
            encodes=layout.signature(f"def {encoder}", ["message: Any", "style: Style"], " -> dict[str, Any]:", 0),
        )

    def taker(self, message: Message) -> TakerView:
        """The view of what takes query parameters for the message."""
        self.needed.add(_ANY)
        function = f"take_{self._names[message.full_name]}"
        return parameters.taker(function, message, self._reach.asked[message.full_name], self._parameters)

    def paths(self, message: Message) -> PathsView:
        """The view of what gives the paths of an update mask into the message."""
        self.needed |= {_ANY, Import("collections.abc", "Iterator")}
        return parameters.paths(f"paths_of_{self._names[message.full_name]}", message, self._parameters)

    def _decoded(self, field: Field, counters: Mapping[str, str]) -> DecodedField:
        keys = [literal(key) for key in dict.fromkeys((field.json_name, field.name))]
        target = f"fields[{literal(field.name)}]"
        if is_nullable(field):
            value = decoded(field, _OPERAND, self._expressions)
            found = tuple(
                (f"    {word} {key} in json:", layout.assignment(target, value.replace(_OPERAND, f"json[{key}]"), 8))
                for word, key in zip(("if", "elif"), keys, strict=False)
            )
        else:
            value = decoded(field, "value", self._expressions)
            found = ((_test(keys), layout.assignment(target, value, 8)),)
        return DecodedField(found, counters.get(f"of_{field.oneof}", ""))

    def _encoded(self, message: Message) -> Iterator[EncodedField | EncodedOneof]:
        oneofs = {oneof.name: oneof for oneof in message.oneofs}
        fields = {field.name: field for field in message.fields}
        for field in message.fields:
            if not field.oneof:
                yield self._encoded_field(field, self._presence(field))
            elif (oneof := oneofs.pop(field.oneof, None)) is not None:  # in the place of its first member
                members = tuple(self._encoded_field(fields[name], "chosen") for name in oneof.fields)
                yield EncodedOneof(oneof.name, members)

    def _presence(self, field: Field) -> str:
        if field.has_presence:
            return "has"
        if self._emit_defaults:
            return "always"
        if not field.repeated and field.type in _FLOATS:
            self.needed.add(Import("math", "copysign"))
            return "float"
        return "set"

    def _encoded_field(self, field: Field, presence: str) -> EncodedField:
        read = f"getattr(message, {literal(field.name)})" if iskeyword(field.name) else f"message.{field.name}"
        value = encoded(field, _OPERAND, self._expressions)
        tested = presence in ("set", "float")  # and bound to `value` by the test
        bound = not tested and value.count(_OPERAND) > 1
        value = value.replace(_OPERAND, "value" if tested or bound else read)
        indent = 4 if presence == "always" else 8
        assignment = layout.assignment(f"json[{literal(field.json_name)}]", value, indent)
        return EncodedField(field.name, read, presence, bound, assignment)

    def _decoder(self, full_name: str) -> str:
        if full_name not in self._reach.decoded:
            return self._runtime(CODEC, "left_over")
        return self._bind(full_name, f"decode_{self._names[full_name]}")

    def _encoder(self, full_name: str) -> str:
        if full_name not in self._reach.encoded:
            return self._runtime(WRITING, "to_json")
        return self._bind(full_name, f"encode_{self._names[full_name]}")

    def _taker(self, full_name: str) -> str:
        return self._bind(full_name, f"take_{self._names[full_name]}")

    def _paths(self, full_name: str) -> str:
        return self._bind(full_name, f"paths_of_{self._names[full_name]}")

    def _named(self, full_name: str) -> str:
        """The constant of an enum, or of a oneof of the module's own."""
        return (
            self._names[full_name]
            if full_name not in self._contract.enums
            else self._bind(full_name, self._names[full_name])
        )

    def _runtime(self, module: str, name: str) -> str:
        self.needed.add(Import(f"{self._above}..runtime{module}", name))
        return name

    def _bind(self, full_name: str, name: str) -> str:
        """The name by which the module calls what another module has; its own it calls by name."""
        file = self._places.file(full_name)
        if file == self._file:
            return name
        key = (file, name)
        if key not in self._bound:
            bound = naming.identifier(name, self._taken)
            self._taken.add(bound)
            self._bound[key] = bound
            self.needed.add(Import(self._above + self._places.modules[file], name, "" if bound == name else bound))
        return self._bound[key]


def _codec(view: MessageView) -> Construct:
    functions = {"decode": view.decoder, "encode": view.encoder}
    return Construct("Generated", {verb: Expression(function) for verb, function in functions.items() if function})


def _test(keys: Sequence[str]) -> str:
    """The statement that asks for a member by each of its names, and binds it to `value`."""
    asked = "get(" + ", get(".join(keys) + ")" * len(keys)
    line = f"    if (value := {asked}) is not None:"
    return line if layout.fits(line) else f"    if (\n        value := {asked}\n    ) is not None:"


def _unnamed(contract: Contract) -> tuple[str, ...]:
    """The modules below gen/pb that no service's module imports, not even through others."""
    services = [contract.services, *contract.dependencies.values()]
    rpcs = [rpc for group in services for service in group for rpc in service.rpcs]
    left = [contract.messages[name].file for rpc in rpcs for name in (rpc.request, rpc.response)]
    imported: set[str] = set()
    while left:
        path = left.pop()
        if path not in imported:
            imported.add(path)
            left.extend(contract.files[path].dependencies)
    modules = naming.pb_modules(contract)
    return tuple(
        f"..pb{modules[path]}"
        for path, file in sorted(contract.files.items())
        if path not in imported and not file.provided
    )


def _packages(modules: Iterable[ModuleView]) -> tuple[str, ...]:
    """The folders that the modules are in, below gen/codecs."""
    found: set[str] = set()
    for module in modules:
        parts = module.module.split(".")
        found.update("/".join(parts[:length]) for length in range(1, len(parts)))
    return tuple(sorted(found))


def _enum_names(enum: Enum) -> dict[int, str]:
    """The names by number; of several for one, the first."""
    names: dict[int, str] = {}
    for value in enum.values:
        names.setdefault(value.number, value.name)
    return names
