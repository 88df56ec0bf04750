"""The benchmarks measure what they say: their contracts are of the size asked for, and a bar is judged rightly."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from benchmarks import contracts, message
from benchmarks.load import grpc_unary
from benchmarks.report import Row, Section, at_most, ratio_of_at_least, table
from benchmarks.throughput import Throughput
from generator.contract.load import load

SHOP = Path(__file__).parents[3] / "benchmarks" / "contract"


@pytest.mark.parametrize(("size", "more"), [(1, 0), (10, 0), (10, 3), (34, 1)])
def test_a_contract_has_as_many_rpcs_and_routes_as_asked_for(tmp_path: Path, size: int, more: int) -> None:
    files = contracts.write(tmp_path, size, more=more)
    contract = load([file.name for file in files], [tmp_path])
    rpcs = [rpc for service in contract.services for rpc in service.rpcs]
    assert len(rpcs) == size + more
    assert all(len(rpc.rules) == 1 for rpc in rpcs)
    assert len({rpc.path for rpc in rpcs}) == len(rpcs)


def test_the_message_is_the_same_order_over_both_protocols() -> None:
    pool = descriptor_pool.DescriptorPool()
    for file in load(["shop.proto"], [SHOP]).descriptor_set.file:
        pool.AddSerializedFile(
            descriptor_pb2.FileDescriptorProto.FromString(file.SerializeToString()).SerializeToString()
        )
    order = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.v1.Order"))
    parsed = json_format.Parse(message.JSON, order())
    parsed.customer = "c-1029"
    assert order.FromString(message.BINARY) == parsed


def test_an_answer_is_a_message_and_its_end() -> None:
    settings = grpc_unary.frame(4, 0, 0, b"")
    data, trailers = grpc_unary.frame(0, 0, 1, b"x"), grpc_unary.frame(1, 0x5, 1, b"y")
    assert grpc_unary.has_answer(settings + data + trailers)
    assert not grpc_unary.has_answer(settings + trailers)
    assert not grpc_unary.has_answer(settings + data + trailers[:-1])


def test_a_bar_is_passed_on_its_right_side_only() -> None:
    rows = [
        Row("fast", "9/s", "peer", "10/s", 0.9, ratio_of_at_least(0.9), 0.9),
        Row("slow", "8/s", "peer", "10/s", 0.8, ratio_of_at_least(0.9), 0.8),
        Row("quick", "0.4 s", bar=at_most(0.4, "s"), judged=0.4),
        Row("tardy", "0.5 s", bar=at_most(0.4, "s"), judged=0.5),
        Row("shown", "1 s"),
    ]
    assert [row.verdict for row in rows] == ["pass", "FAIL", "pass", "FAIL", ""]
    assert "slow      8/s    peer     10/s  0.80×  ≥ 0.90×  FAIL" in table(Section("Speed", rows))


def test_ratios_are_of_the_rounds_that_belong_together() -> None:
    mine = Throughput(rates=(100.0, 50.0, 30.0), cpus=(0.01, 0.02, 0.04))
    other = Throughput(rates=(50.0, 100.0, 10.0), cpus=(0.02, 0.01, 0.08))
    assert mine.over(other) == 2.0
    assert mine.over_by_cpu(other) == 2.0
    assert mine.over_by_cpu(Throughput(rates=(1.0,), cpus=())) is None
