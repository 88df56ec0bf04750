"""What a server says of itself by reflection, to hold against the contract's descriptor set."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterable, Mapping
from types import ModuleType
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc import aio

_REFLECTION = "/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"


class Reflection:
    """A client of server reflection, `version` v1 or v1alpha."""

    def __init__(self, channel: aio.Channel, version: str = "v1") -> None:
        self._pb: Any = importlib.import_module("grpc_reflection.v1alpha.reflection_pb2")
        self._channel = channel
        self._path = _REFLECTION.format(version=version)

    async def services(self) -> list[str]:
        """The names of the services that the server has. Raises AioRpcError."""
        response = await self._ask(list_services="")
        return [service.name for service in response.list_services_response.service]

    async def files(self, symbols: Iterable[str]) -> Mapping[str, FileDescriptorProto]:
        """The files of these services and messages with all that they import, by name. Raises AioRpcError."""
        found: dict[str, FileDescriptorProto] = {}
        for symbol in symbols:
            _add(found, await self._ask(file_containing_symbol=symbol))
        while missing := {name for file in found.values() for name in file.dependency} - found.keys():
            for name in sorted(missing):
                _add(found, await self._ask(file_by_filename=name))
                if name not in found:
                    raise LookupError(f"reflection does not have {name}")
        return found

    async def _ask(self, **question: str) -> Any:
        async def requests() -> AsyncIterator[Any]:
            yield self._pb.ServerReflectionRequest(**question)

        call: Any = self._channel.stream_stream(
            self._path,
            request_serializer=self._pb.ServerReflectionRequest.SerializeToString,
            response_deserializer=self._pb.ServerReflectionResponse.FromString,
        )(requests())
        responses = [response async for response in call]
        return responses[0]


def generated_files(pb: ModuleType) -> set[str]:
    """The import paths of the .proto files that `gen/pb` has modules of."""
    names: set[str] = set()
    for module in pkgutil.walk_packages(pb.__path__, f"{pb.__name__}."):
        if module.name.endswith("_pb2"):
            names.add(importlib.import_module(module.name).DESCRIPTOR.name)
    return names


def normal(files: Iterable[FileDescriptorProto]) -> Mapping[str, FileDescriptorProto]:
    """The files by name, written in one way: without source positions, every JSON name filled in.

    The files must be complete: each comes with all that it imports. Raises TypeError otherwise.
    """
    given = {file.name: file for file in files}
    pool = DescriptorPool()
    added: set[str] = set()

    def add(name: str) -> None:
        if name not in added:
            added.add(name)
            for dependency in given[name].dependency:
                add(dependency)
            pool.AddSerializedFile(given[name].SerializeToString())

    written: dict[str, FileDescriptorProto] = {}
    for name in given:
        add(name)
        written[name] = FileDescriptorProto()
        pool.FindFileByName(name).CopyToProto(written[name])
    return written


def file_of_pool(name: str) -> FileDescriptorProto:
    """The file as the running program knows it. Raises KeyError for a file that no imported module brought."""
    file = FileDescriptorProto()
    descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
    return file


def declared_methods(descriptor_set: bytes, services: Iterable[str]) -> Mapping[str, tuple[str, str, bool, bool]]:
    """Request, response and which of them stream, by gRPC path, of each RPC of these services in a descriptor set."""
    wanted = set(services)
    return {
        f"/{name}/{method.name}": (
            method.input_type.removeprefix("."),
            method.output_type.removeprefix("."),
            method.client_streaming,
            method.server_streaming,
        )
        for file in FileDescriptorSet.FromString(descriptor_set).file
        for service in file.service
        if (name := f"{file.package}.{service.name}" if file.package else service.name) in wanted
        for method in service.method
    }


def contract_files(descriptor_set: bytes) -> Mapping[str, FileDescriptorProto]:
    """The files of a serialised descriptor set (`.holdfast/contract.binpb`), as `normal` writes them."""
    return normal(FileDescriptorSet.FromString(descriptor_set).file)


def _add(found: dict[str, FileDescriptorProto], response: Any) -> None:
    for content in response.file_descriptor_response.file_descriptor_proto:
        file = FileDescriptorProto.FromString(content)
        found[file.name] = file
