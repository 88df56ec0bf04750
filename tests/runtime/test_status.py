"""A ServiceError as google.rpc.Status: code, text, details, and how much of it fits into metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, DebugInfo, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from runtime.definition import ErrorTable
from runtime.errors import ErrorRow, ServiceError
from runtime.metadata import Metadata
from runtime.status import answer_of, fit, metadata_size, status_of

from tests.runtime.sample_service import ERRORS, NOT_FOUND, LedgerDown, OutOfStock

NOBODY = Metadata()
CHINESE = Metadata([("accept-language", "zh-CN")])
BAD_ARGUMENT = ErrorRow(
    reason="INVALID_ARGUMENT",
    code=StatusCode.INVALID_ARGUMENT,
    http=422,
    business_code="ERR_PARAM_001",
    retryable=False,
    retry_after=None,
    messages={"en": "Check '{field}'", "zh": "请检查「{field}」"},
    placeholders=("field",),
)
TABLE = ErrorTable("shop.example.com", {}, {"NOT_FOUND": NOT_FOUND, "INVALID_ARGUMENT": BAD_ARGUMENT})


def detail(status: Status, kind: Any) -> Any:
    found = [packed for packed in status.details if packed.Is(kind.DESCRIPTOR)]
    assert len(found) == 1, f"{len(found)} details of {kind.DESCRIPTOR.full_name}"
    message = kind()
    found[0].Unpack(message)
    return message


def names(status: Status) -> list[str]:
    return [packed.TypeName().rpartition(".")[2] for packed in status.details]


def test_a_table_error_carries_its_code_text_reason_domain_and_values() -> None:
    status = status_of(OutOfStock(sku="a", available=3), NOBODY, ERRORS)
    info = detail(status, ErrorInfo)
    assert (status.code, status.message) == (9, "Only 3 of a left")
    assert (info.reason, info.domain) == ("OUT_OF_STOCK", "sample.example.com")
    assert dict(info.metadata) == {"sku": "a", "available": "3", "code": "ERR_STOCK_001"}


def test_the_text_is_in_the_callers_language_and_says_which() -> None:
    status = status_of(OutOfStock(sku="a", available=3), CHINESE, ERRORS)
    localized = detail(status, LocalizedMessage)
    assert status.message == localized.message == "「a」仅剩 3 件"
    assert localized.locale == "zh"


def test_an_error_without_a_row_keeps_its_own_text_and_has_no_locale() -> None:
    status = status_of(ServiceError(StatusCode.ABORTED, "try again", reason="LOST_RACE"), CHINESE, TABLE)
    assert (status.message, detail(status, ErrorInfo).reason) == ("try again", "LOST_RACE")
    assert names(status) == ["ErrorInfo"]


def test_an_error_by_code_alone_takes_the_rows_text_and_business_code() -> None:
    answer = answer_of(ServiceError(StatusCode.NOT_FOUND, metadata={"resource": "order"}), CHINESE, TABLE)
    assert answer.status.message == "未找到「order」,请刷新重试"
    assert detail(answer.status, ErrorInfo).metadata["code"] == "ERR_RES_002"


def test_a_row_by_code_whose_placeholders_have_no_values_leaves_the_text_alone() -> None:
    status = status_of(ServiceError(StatusCode.NOT_FOUND, "no such order"), CHINESE, TABLE)
    assert status.message == "no such order"
    assert detail(status, ErrorInfo).metadata["code"] == "ERR_RES_002"


def test_a_row_by_code_sets_the_http_status_unless_the_error_has_one_of_its_own() -> None:
    by_code = ServiceError(StatusCode.INVALID_ARGUMENT, "no")
    own = ServiceError(StatusCode.INVALID_ARGUMENT, "no", http=431)
    assert answer_of(by_code, NOBODY, TABLE).http == 422
    assert answer_of(own, NOBODY, TABLE).http == 431


def test_an_invalid_argument_with_a_field_names_it_in_a_bad_request() -> None:
    status = status_of(ServiceError(StatusCode.INVALID_ARGUMENT, metadata={"field": "sku"}), NOBODY, TABLE)
    violation = detail(status, BadRequest).field_violations[0]
    assert (violation.field, violation.description) == ("sku", "Check 'sku'")


@pytest.mark.parametrize(
    ("retry_after", "seconds", "milliseconds", "delay"),
    [
        (None, None, None, None),
        (0, 0, 0, 0.0),
        (1.0, 1, 1000, 1.0),
        (0.25, 1, 250, 0.25),
        (1.1, 2, 1100, 1.1),
        (2.0004, 3, 2001, 2.0004),
        (-3, 0, 0, 0.0),
        (math.nan, None, None, None),
    ],
)
def test_retry_info_retry_after_and_pushback_agree(
    retry_after: float | None, seconds: int | None, milliseconds: int | None, delay: float | None
) -> None:
    answer = answer_of(ServiceError(StatusCode.UNAVAILABLE, retry_after=retry_after), NOBODY, ERRORS)
    assert (answer.retry_after_seconds, answer.pushback_ms) == (seconds, milliseconds)
    if delay is None:
        assert "RetryInfo" not in names(answer.status)
    else:
        sent = detail(answer.status, RetryInfo).retry_delay
        assert sent.seconds + sent.nanos / 1e9 == pytest.approx(delay)


def test_an_endless_retry_after_still_makes_an_answer() -> None:
    answer = answer_of(ServiceError(StatusCode.UNAVAILABLE, retry_after=math.inf), NOBODY, ERRORS)
    assert detail(answer.status, RetryInfo).retry_delay.seconds == 315_576_000_000


def test_a_retryable_row_says_when_to_retry() -> None:
    assert answer_of(LedgerDown(), NOBODY, ERRORS).retry_after_seconds == 1


@pytest.mark.parametrize(
    "given",
    [
        ErrorInfo(reason="MINE"),
        AnyMessage(type_url="example.com/google.rpc.ErrorInfo", value=ErrorInfo(reason="MINE").SerializeToString()),
    ],
)
def test_a_detail_the_handler_gave_is_not_given_again(given: Message) -> None:
    status = status_of(ServiceError(StatusCode.ABORTED, details=[given]), NOBODY, ERRORS)
    assert detail(status, ErrorInfo).reason == "MINE"


def test_an_any_is_taken_as_it_is_even_of_an_unknown_type() -> None:
    unknown = AnyMessage(type_url="example.com/no.Such", value=b"\xff")
    assert status_of(ServiceError(StatusCode.ABORTED, details=[unknown]), NOBODY, ERRORS).details[-1] == unknown


def test_text_that_utf8_cannot_carry_does_not_lose_the_error() -> None:
    error = ServiceError(StatusCode.ABORTED, "a\ud800b", reason="R\udfff", metadata={"k\ud800": "v\ud800"})
    status = status_of(error, NOBODY, ERRORS)
    assert (status.message, detail(status, ErrorInfo).reason) == ("a?b", "R?")
    assert dict(detail(status, ErrorInfo).metadata) == {"k?": "v?"}


def test_a_placeholder_in_a_value_is_not_filled_again() -> None:
    status = status_of(OutOfStock(sku="{available}", available="{sku}"), NOBODY, ERRORS)
    assert status.message == "Only {sku} of {available} left"


def test_the_same_error_makes_the_same_bytes() -> None:
    values: Mapping[str, str] = {f"key{number}": "x" for number in range(50)}
    backwards = dict(reversed(values.items()))
    one, other = (ServiceError(StatusCode.ABORTED, metadata=metadata) for metadata in (values, backwards))
    assert status_of(one, NOBODY, ERRORS).SerializeToString() == status_of(other, NOBODY, ERRORS).SerializeToString()


def big(kind: Any, size: int) -> AnyMessage:
    return AnyMessage(
        type_url=f"type.googleapis.com/{kind.DESCRIPTOR.full_name}", value=kind(detail="x" * size).SerializeToString()
    )


def test_a_status_that_fits_stays_whole() -> None:
    status = status_of(OutOfStock(sku="a", available=3), CHINESE, ERRORS)
    cut, payload = fit(status, 7680)
    assert cut == status
    assert Status.FromString(payload) == status


def test_what_does_not_fit_goes_largest_first_and_error_info_stays() -> None:
    details = [big(DebugInfo, 9000), big(DebugInfo, 500)]
    status = status_of(ServiceError(StatusCode.ABORTED, "no", details=details, retry_after=1), NOBODY, ERRORS)
    cut, payload = fit(status, 7680)
    assert names(cut) == ["ErrorInfo", "RetryInfo", "DebugInfo"]
    assert metadata_size(cut, payload) <= 7680


def test_a_text_that_alone_does_not_fit_is_cut_between_characters() -> None:
    status = status_of(ServiceError(StatusCode.ABORTED, "件" * 9000), NOBODY, ERRORS)
    cut, payload = fit(status, 7680)
    assert metadata_size(cut, payload) <= 7680
    assert cut.message
    assert set(cut.message) == {"件"}
    assert cut.code == status.code


def test_the_rows_http_status_does_not_touch_table_errors() -> None:
    table = replace(ERRORS, by_code={"FAILED_PRECONDITION": replace(BAD_ARGUMENT, http=499)})
    assert answer_of(OutOfStock(sku="a", available=3), NOBODY, table).http == 409


def test_an_error_that_no_answer_can_be_made_of_is_internal(caplog: pytest.LogCaptureFixture) -> None:
    broken: Any = "no message"
    answer = answer_of(ServiceError(StatusCode.ABORTED, "no", details=[broken]), NOBODY, ERRORS)
    assert (answer.status.code, answer.status.message, answer.http) == (13, "internal error", 500)
    assert "no answer can be made" in caplog.text
