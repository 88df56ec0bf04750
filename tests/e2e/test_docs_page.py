"""The page at /docs in a real browser: an API to read and to call, and nothing from anywhere but the service.

The screenshots of the last run stay in `.artefacts/`, to be looked at.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.e2e.projects import EXAMPLES, ROOT, Process, serving

ARTEFACTS = ROOT / ".artefacts"
PATIENCE = 30_000.0  # milliseconds
# Nothing of the browser's own goes out, and no name leads anywhere.
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"


@contextmanager
def dependencies(project: Path) -> Iterator[Mapping[str, str]]:
    """The services that `orders` calls; the environment by which it finds them."""
    variables = {**os.environ, "PYTHONPATH": str(project / "src")}
    command = [sys.executable, EXAMPLES / "orders" / "dependencies.py"]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            targets: dict[str, str] = json.loads(process.stdout.readline())
            yield targets
        finally:
            process.kill()


@pytest.fixture(scope="module")
def service(orders_project: Path) -> Iterator[Process]:
    with dependencies(orders_project) as targets, serving(orders_project, "orders", targets) as process:
        yield process


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "chromium is not on PATH; as root on Debian: make system (see CONTRIBUTING.md)"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*FLAGS, NOWHERE], chromium_sandbox=False)
        yield chromium
        chromium.close()


class Seen:
    """What a page has asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def page(browser: Browser, service: Process) -> Iterator[Page]:
    """The page, opened; at the end everything that it has asked for must be the service's."""
    opened = browser.new_page(viewport={"width": 1280, "height": 1000})
    opened.set_default_timeout(PATIENCE)
    seen = Seen(opened)
    opened.goto(f"{service.rest}/docs")
    yield opened
    opened.close()
    assert f"{service.rest}/openapi.json" in seen.urls
    assert [url for url in seen.urls if not url.startswith(f"{service.rest}/")] == []
    assert [text for text in seen.complaints if "server responded with a status of" not in text] == []


def keep(page: Page, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"docs-{name}.png")


def operation(page: Page, verb: str, summary: str) -> Locator:
    """An operation of the page, unfolded."""
    found = page.locator(f".opblock-{verb}", has_text=summary)
    found.locator(".opblock-summary-control").click()
    return found


def send(page: Page, unfolded: Locator, status: int) -> Locator:
    """Send the request as it stands; what the page shows of an answer with that status."""
    unfolded.get_by_role("button", name="Execute").click()
    answer = unfolded.locator(".live-responses-table")
    expect(answer.locator(".response-col_status").last).to_contain_text(str(status))
    answer.scroll_into_view_if_needed()
    keep(page, str(status))
    return answer


def test_operations_are_shown_by_service(page: Page) -> None:
    service = page.locator(".opblock-tag-section", has_text="OrderService")
    expect(service).to_contain_text("Takes orders, finds them again, and ships them.")
    expect(service.locator(".opblock")).to_have_count(11)
    expect(service.locator(".opblock-post").first).to_contain_text("/v1/customers/{customer}/orders")
    keep(page, "operations")


def test_an_operation_shows_its_schema_and_an_example(page: Page) -> None:
    unfolded = operation(page, "post", "Places an order")
    expect(unfolded.locator("tr[data-param-name=customer] .required")).to_have_count(1)
    assert json.loads(unfolded.locator("textarea").input_value())["lines"] == [{"sku": "sku", "quantity": 1}]
    conflict = unfolded.locator('.response[data-code="409"]')
    conflict.locator("select.examples-select-element").select_option(label="OUT_OF_STOCK (en)")
    expect(conflict).to_contain_text('"reason": "OUT_OF_STOCK"')
    schema = unfolded.locator(".response", has_text="The response.")
    schema.get_by_role("tab", name="Schema").click()
    expect(schema).to_contain_text("createTime")
    expect(schema).to_contain_text("date-time")
    keep(page, "schema")


def test_a_call_is_sent_and_its_answer_shown(page: Page) -> None:
    unfolded = operation(page, "post", "Places an order")
    unfolded.locator("tr[data-param-name=customer] input").fill("ada")
    unfolded.locator("textarea").fill('{"lines": [{"sku": "pen", "quantity": 2}]}')
    answer = send(page, unfolded, 200)
    expect(answer).to_contain_text('"state": "PLACED"')
    expect(answer).to_contain_text("location: /v1/customers/ada/orders/")


def test_a_call_that_fails_shows_its_status_and_the_decoded_error(page: Page) -> None:
    unfolded = operation(page, "post", "Places an order")
    unfolded.locator("tr[data-param-name=customer] input").fill("ada")
    unfolded.locator("tr[data-param-name=Accept-Language] input").fill("zh")  # a header that the answer depends on
    unfolded.locator("textarea").fill('{"lines": [{"sku": "ink", "quantity": 9}]}')
    answer = send(page, unfolded, 409)
    expect(answer).to_contain_text('"reason": "OUT_OF_STOCK"')
    expect(answer).to_contain_text("「ink」")
