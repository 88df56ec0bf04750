"""Contracts of any size for the generator's benchmarks: resources with the usual methods, comments and REST routes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_PER_SERVICE = 10  # RPCs; each service has a file of its own, as large contracts do
_METHODS = (
    ("Get{0}", "Get{0}Request", "{0}", 'get: "/v1/{{name={1}s/*}}"'),
    ("List{0}s", "List{0}sRequest", "List{0}sResponse", 'get: "/v1/{1}s"'),
    ("Create{0}", "Create{0}Request", "{0}", 'post: "/v1/{1}s" body: "{1}"'),
    ("Update{0}", "Update{0}Request", "{0}", 'patch: "/v1/{{{1}.name={1}s/*}}" body: "{1}"'),
    ("Delete{0}", "Delete{0}Request", "google.protobuf.Empty", 'delete: "/v1/{{name={1}s/*}}"'),
)
_ACTIONS = ("Approve", "Archive", "Cancel", "Export", "Freeze", "Import", "Lock", "Merge", "Publish", "Restore")
_HEAD = """\
syntax = "proto3";

package bench.v1;

import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
"""
_MESSAGES = """
// A {1}, as callers see it.
message {0} {{
  // How far it has come.
  enum State {{
    STATE_UNSPECIFIED = 0;
    ACTIVE = 1;
    ARCHIVED = 2;
  }}

  // "{1}s/{{{1}}}".
  string name = 1 [(google.api.field_behavior) = IDENTIFIER];
  string display_name = 2 [(google.api.field_behavior) = REQUIRED];
  State state = 3 [(google.api.field_behavior) = OUTPUT_ONLY];
  google.protobuf.Timestamp create_time = 4 [(google.api.field_behavior) = OUTPUT_ONLY];
  map<string, string> labels = 5;
  repeated {0}Part parts = 6;
  oneof owner {{
    string user = 7;
    string team = 8;
  }}
}}

message {0}Part {{
  string title = 1;
  double weight = 2;
  bytes digest = 3;
}}

message Get{0}Request {{
  string name = 1 [(google.api.field_behavior) = REQUIRED];
}}

message List{0}sRequest {{
  int32 page_size = 1;
  string page_token = 2;
  string filter = 3;
}}

message List{0}sResponse {{
  repeated {0} {1}s = 1;
  string next_page_token = 2;
}}

message Create{0}Request {{
  {0} {1} = 1 [(google.api.field_behavior) = REQUIRED];
  string request_id = 2;
}}

message Update{0}Request {{
  {0} {1} = 1;
  google.protobuf.FieldMask update_mask = 2;
}}

message Delete{0}Request {{
  string name = 1 [(google.api.field_behavior) = REQUIRED];
}}
"""


def write(folder: Path, rpcs: int, *, more: int = 0) -> list[Path]:
    """Write a contract of that many RPCs below `folder`; the first service has `more` on top. Returns its files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, start in enumerate(range(0, rpcs, _PER_SERVICE)):
        count = min(_PER_SERVICE, rpcs - start) + (more if number == 0 else 0)
        file = folder / f"thing{number}.proto"
        file.write_text(_file(f"Thing{number}", count))
        files.append(file)
    return files


def _file(resource: str, rpcs: int) -> str:
    lower = resource.lower()
    actions = [f"{verb}{'' if again == 0 else again}" for again in range(rpcs // 10 + 1) for verb in _ACTIONS]
    actions = actions[: max(0, rpcs - len(_METHODS))]
    lines = [_HEAD, f"// Keeps {lower}s.", f"service {resource}Service {{"]
    for name, request, response, rule in _METHODS[:rpcs]:
        lines += _rpc(name.format(resource), request.format(resource), response.format(resource, lower), rule, resource)
    for action in actions:
        rule = f'post: "/v1/{{{{name={{1}}s/*}}}}:{action.lower()}" body: "*"'
        lines += _rpc(f"{action}{resource}", f"{action}{resource}Request", resource, rule, resource)
    lines += ["}", _MESSAGES.format(resource, lower)]
    for action in actions:
        fields = (
            "  string name = 1 [(google.api.field_behavior) = REQUIRED];\n  string reason = 2;\n  bool force = 3;\n"
        )
        lines.append(f"message {action}{resource}Request {{\n{fields}}}\n")
    return "\n".join(lines)


def _rpc(name: str, request: str, response: str, rule: str, resource: str) -> Iterator[str]:
    yield f"  // {name}: checks that the caller may, does it, and answers with what became of it."
    yield f"  rpc {name}({request}) returns ({response}) {{"
    yield f"    option (google.api.http) = {{{rule.format(resource, resource.lower())}}};"
    yield "  }"
