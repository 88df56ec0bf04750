"""What an Any may hold beside the contract's own messages: the details of google/rpc/error_details.proto."""

from __future__ import annotations

from dataclasses import replace

from google.protobuf import duration_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.rpc import error_details_pb2

from generator.contract.model import Contract
from generator.contract.source_info import SourceInfo
from generator.contract.types import read_types
from generator.render.openapi.well_known import ANY


def with_error_details(contract: Contract) -> Contract:
    """The contract with those messages among its own, where it has an Any to put them in."""
    if ANY not in contract.messages:
        return contract
    files = [_proto(duration_pb2.DESCRIPTOR), _proto(error_details_pb2.DESCRIPTOR)]
    types = read_types(FileDescriptorSet(file=files), {file.name: SourceInfo(file, file.name) for file in files})
    return replace(contract, messages={**types.messages, **contract.messages}, enums={**types.enums, **contract.enums})


def _proto(file: FileDescriptor) -> FileDescriptorProto:
    described = FileDescriptorProto()
    file.CopyToProto(described)
    return described
