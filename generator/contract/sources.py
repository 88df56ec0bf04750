"""Where the contract's .proto files lie: in installed packages, and in the folders the user names."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import google.protobuf
from google.api import annotations_pb2

# The folders of googleapis-common-protos. Listed, not searched for: other packages install into the same tree,
# and what happens to be installed must not change what is generated.
_COMMON_FOLDERS = (
    "google/api",
    "google/cloud",
    "google/cloud/location",
    "google/gapic/metadata",
    "google/logging/type",
    "google/longrunning",
    "google/rpc",
    "google/rpc/context",
    "google/type",
)
# The one file that lies on disk under another name than the one it is imported by.
_STORED_AS = {"google/longrunning/operations_proto.proto": "google/longrunning/operations.proto"}

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class Sources:
    """The .proto files within reach: `provided` (import path to file) first, then the `include` folders.

    Provided files win over the user's copies of them, because their Python modules, which the emitted code
    imports, are the installed ones.
    """

    provided: Mapping[str, Path]
    include: tuple[Path, ...]

    def find(self, import_path: str) -> Path | None:
        """The file that `import "import_path"` reads, if there is one."""
        if not is_import_path(import_path):
            return None
        if (source := self.provided.get(import_path)) is not None:
            return source
        return next((path for folder in self.include if (path := folder / import_path).is_file()), None)


def sources(include: Sequence[Path]) -> Sources:
    """The provided files and the `include` folders, made absolute, in that order; missing folders are left out."""
    folders = dict.fromkeys(absolute(folder) for folder in include if folder.is_dir())
    return Sources(_provided(), tuple(folders))


def python_module(import_path: str) -> str:
    """The installed Python module that holds `import_path`'s messages ("google.api.http_pb2"), "" if there is none.

    Only protobuf's and googleapis-common-protos' modules count. The module is looked for, never imported.
    """
    folder, _, name = import_path.rpartition("/")
    if not name.endswith(".proto") or not is_import_path(import_path):
        return ""
    module = f"{import_path.removesuffix('.proto')}_pb2"
    if folder == "google/protobuf" or folder.startswith("google/protobuf/"):
        installed = _protobuf_root() / f"{module}.py"
    elif folder in _COMMON_FOLDERS:
        installed = _common_root() / f"{module}.py"
    else:
        return ""
    return module.replace("/", ".") if installed.is_file() else ""


def is_import_path(text: str) -> bool:
    """Whether `text` is a plain relative path: no "..", no absolute path, nothing that needs quoting anywhere."""
    return all(_SEGMENT.fullmatch(segment) for segment in text.split("/"))


def absolute(path: Path) -> Path:
    """`path` from the root; links are followed only where a ".." makes it necessary, so that names stay the user's."""
    return path.resolve() if ".." in path.parts else path.absolute()


def shown(path: Path) -> str:
    """`path` as the user knows it: relative to the working directory when it lies below it."""
    whole, here = absolute(path), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _protobuf_root() -> Path:
    return Path(google.protobuf.__path__[0]).parents[1]


def _common_root() -> Path:
    return Path(annotations_pb2.__file__).parents[2]


def _compiler_root() -> Path:
    spec = importlib.util.find_spec("grpc_tools")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("grpcio-tools is not installed")
    return Path(spec.submodule_search_locations[0]) / "_proto"


def _provided() -> Mapping[str, Path]:
    """The import path and file of every .proto that grpcio-tools and googleapis-common-protos bring."""
    found: dict[str, Path] = {}
    compiler = _compiler_root()
    for path in sorted(compiler.rglob("*.proto")):
        found[path.relative_to(compiler).as_posix()] = path
    common = _common_root()
    for folder in _COMMON_FOLDERS:
        for path in sorted((common / folder).glob("*.proto")):
            stored = f"{folder}/{path.name}"
            found[_STORED_AS.get(stored, stored)] = path
    return found
