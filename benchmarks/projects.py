"""Emitted projects to measure, made by the very command that users run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.servers import ROOT, CannotRunError, Peer, environment

_CONTRACT = ROOT / "benchmarks" / "contract"
_HANDLER = '''"""The handler that the hand-written peers have too."""

from ..gen.pb.shop.v1.shop_pb2 import Order
from ..gen.services.order_service import OrderServiceBase
from ..runtime.call import Call


class OrderService(OrderServiceBase):
    """Takes orders."""

    async def place_order(self, request: Order, call: Call) -> Order:
        """Answer with the order, placed."""
        request.state = Order.PLACED
        return request
'''


def holdfast(*arguments: str) -> float:
    """Run a `holdfast` command; returns the seconds it took. Raises CannotRunError where it fails."""
    command = [sys.executable, "-m", "generator", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment({}), check=False, capture_output=True, text=True)
    took = time.perf_counter() - started
    if done.returncode != 0:
        raise CannotRunError(f"`holdfast {' '.join(arguments)}` failed:\n{done.stderr.strip()}")
    return took


def new(project: Path, contracts: Sequence[Path], *further: str) -> float:
    """`holdfast new` of contract files in one folder, with the starter's spec; returns the seconds it took."""
    named = [argument for contract in contracts for argument in ("--contract", str(contract))]
    return holdfast("new", str(project), *named, "-I", str(contracts[0].parent), "--defaults", *further)


def shop(folder: Path) -> Path:
    """The emitted project of `benchmarks/contract` with the built-in defaults, its handler written."""
    return _shop(folder / "shop", "--spec", str(_CONTRACT / "default.yaml"))


def bare_shop(folder: Path) -> Path:
    """The same with metrics and deadlines off."""
    return _shop(folder / "bare" / "shop", "--spec", str(_CONTRACT / "bare.yaml"))


def _shop(project: Path, *further: str) -> Path:
    project.parent.mkdir(exist_ok=True)
    new(project, [_CONTRACT / "shop.proto"], *further)
    (project / "src/shop/handlers/order_service.py").write_text(_HANDLER)
    return project


def emitted(project: Path, *, grpc_port: str = "0", rest_port: str = "0", log: bool = True) -> Peer:
    """The emitted service: one worker and its whole chain; without its access log, where that is not to be there."""
    return Peer("emitted service", (sys.executable, "-m", "shop"), _settings(project, grpc_port, rest_port, log))


def _settings(project: Path, grpc_port: str, rest_port: str, log: bool) -> dict[str, str]:
    return {
        "PYTHONPATH": f"{ROOT}:{project / 'src'}",
        "HOST": "127.0.0.1",
        "GRPC_PORT": grpc_port,
        "REST_PORT": rest_port,
        "ADMIN_PORT": "0",
        "WORKERS": "1",
        "LOG_LEVEL": "INFO" if log else "CRITICAL",
    }


def behind_envoy(project: Path) -> Peer:
    """Envoy's gRPC-JSON transcoder and the emitted service behind it, whose own REST port nobody uses."""
    descriptors = str(project / ".holdfast" / "contract.binpb")
    command = (sys.executable, "-m", "benchmarks.peers.envoy_server", "PORT", descriptors)
    return Peer("Envoy's transcoder, emitted gRPC", command, _settings(project, "0", "0", log=True))


def bare_grpc(project: Path, *, uvloop: bool) -> Peer:
    """The bare grpc.aio server over the project's protobuf modules."""
    command = (sys.executable, "-m", "benchmarks.peers.grpc_server", "PORT", *(("--uvloop",) if uvloop else ()))
    name = "bare grpc.aio" + (" on uvloop" if uvloop else "")
    return Peer(name, command, {"PYTHONPATH": f"{ROOT}:{project / 'src'}"})


def hand_written(name: str, module: str, project: Path) -> Peer:
    """A peer of `benchmarks/peers`, which may use the project's messages."""
    command = (sys.executable, "-m", f"benchmarks.peers.{module}", "PORT")
    return Peer(name, command, {"PYTHONPATH": f"{ROOT}:{project / 'src'}"})
