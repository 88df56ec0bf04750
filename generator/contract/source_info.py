"""Comments and places out of a descriptor's source info."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto, SourceCodeInfo

from generator.errors import Place

HTTP_OPTION = 72295728  # google.api.http, an extension of MethodOptions
_OPTIONS = 4  # MethodDescriptorProto.options
_SERVICE = 6  # FileDescriptorProto.service
_METHOD_OPTION_LENGTH = 6
_FILE_LEVEL = (2, 12, 14)  # FileDescriptorProto.package, syntax, edition

_Path = tuple[int, ...]


class SourceInfo:
    """One file's places and comments, by the path of field numbers and indexes that descriptor.proto describes."""

    __slots__ = ("_file", "_locations")

    def __init__(self, file: FileDescriptorProto, shown_as: str) -> None:
        """`shown_as` is the file's path as the user knows it."""
        self._file = shown_as
        self._locations: dict[_Path, SourceCodeInfo.Location] = {}
        for location in file.source_code_info.location:
            size = len(location.path)
            # Declarations have paths of even length; the odd ones are their names, numbers and types.
            if size % 2 and 1 < size < _METHOD_OPTION_LENGTH:
                continue
            path = tuple(location.path)
            if size > _METHOD_OPTION_LENGTH and path[0] == _SERVICE and path[4:6] == (_OPTIONS, HTTP_OPTION):
                path = path[:_METHOD_OPTION_LENGTH]  # `option (google.api.http).get = …` has a longer one
            self._locations.setdefault(path, location)

    def place(self, *paths: _Path) -> Place:
        """Where the first of `paths` that the file holds begins."""
        for path in paths:
            if (location := self._locations.get(path)) is not None:
                return Place(self._file, location.span[0] + 1, location.span[1] + 1)
        return Place(self._file)

    def comment(self, path: _Path) -> str:
        """The comment before the declaration, else the one after it on its line, as its author wrote it."""
        location = self._locations.get(path)
        if location is None:
            return ""
        comment: str | bytes = location.leading_comments or location.trailing_comments
        if not comment:
            return ""
        text = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment  # bytes when not UTF-8
        return "\n".join(line.removeprefix(" ").rstrip() for line in text.split("\n")).strip("\n")

    def file_comment(self) -> str:
        """The comment on the package statement, else the one on the syntax or edition statement."""
        return next((text for number in _FILE_LEVEL if (text := self.comment((number,)))), "")
