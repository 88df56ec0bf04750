"""The command `protoc-gen-holdfast`: reads protoc's request, answers with a project's managed files."""

from __future__ import annotations

import sys


def main() -> int:
    """Answers the request on standard input; what is wrong is in the answer, for protoc or buf to say. Returns 0.

    Exits with 1 where there is no request: somebody has started it by hand.
    """
    from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
    from google.protobuf.message import DecodeError

    from generator.project.plugin import respond

    try:
        request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    except DecodeError:
        request = CodeGeneratorRequest()
    if not request.proto_file:
        sys.stderr.write("protoc-gen-holdfast is started by protoc or buf; see `holdfast --help` for the commands\n")
        return 1
    sys.stdout.buffer.write(respond(request).SerializeToString(deterministic=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
