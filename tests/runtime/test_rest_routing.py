"""Which route serves a path: specificity, captures, verbs, percent-encoding, 404 and 405."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.routing import UPGRADE, BadPathError, Match, NoMatch, Router

from tests.runtime.wire_service import CHAT, Wire, definition, route, serving


def router(*templates: str, verb: str = "GET") -> Router:
    return Router([route(verb, template) for template in templates])


def found(routes: Router, path: str, verb: str = "GET") -> tuple[str, tuple[str, ...]] | None:
    match = routes.match(verb, path)
    return (routes.routes[match.place].template, match.values) if isinstance(match, Match) else None


ROUTER_ORDERS = list(itertools.permutations(["/v1/a/b", "/v1/a/{x}", "/v1/{x}/b", "/v1/{x}/{y}", "/v1/{x=**}"]))


@pytest.mark.parametrize("templates", ROUTER_ORDERS[::17], ids=lambda templates: templates[0])
def test_the_most_specific_template_wins_in_whatever_order_they_are_declared(templates: tuple[str, ...]) -> None:
    routes = router(*templates)
    assert found(routes, "/v1/a/b") == ("/v1/a/b", ())
    assert found(routes, "/v1/a/c") == ("/v1/a/{x}", ("c",))
    assert found(routes, "/v1/c/b") == ("/v1/{x}/b", ("c",))
    assert found(routes, "/v1/c/d") == ("/v1/{x}/{y}", ("c", "d"))
    assert found(routes, "/v1/a/b/c") == ("/v1/{x=**}", ("a/b/c",))


def test_a_specific_branch_that_leads_nowhere_is_left_again() -> None:
    routes = router("/v1/a/b/c", "/v1/{x}/b/d", "/v1/{x=**}")
    assert found(routes, "/v1/a/b/d") == ("/v1/{x}/b/d", ("a",))
    assert found(routes, "/v1/a/b/e") == ("/v1/{x=**}", ("a/b/e",))


_SEGMENTS = st.sampled_from(["a", "b", "*", "*", "**"])
_SHAPES = st.lists(_SEGMENTS, min_size=1, max_size=4).filter(
    lambda segments: (
        "**" not in segments[:-1] and "*" not in segments[segments.index("**") :] if "**" in segments else True
    )
)


def serves(shape: list[str], path: list[str]) -> bool:
    """Whether a template takes a path, segment by segment."""
    if shape[-1] == "**":
        fixed = shape[:-1]
        return len(path) >= len(fixed) and all(path) and serves([*fixed, "end"], [*path[: len(fixed)], "end"])
    return len(shape) == len(path) and all(
        segment == given or (segment == "*" and given != "") for segment, given in zip(shape, path, strict=True)
    )


@given(
    st.lists(_SHAPES, min_size=1, max_size=6, unique_by=tuple),
    st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=5).filter(lambda path: path != [""]),
)
def test_of_all_templates_that_take_a_path_the_most_specific_is_found(shapes: list[list[str]], path: list[str]) -> None:
    def template(shape: list[str]) -> str:
        return "".join(f"/{{v{at}={segment}}}" if "*" in segment else f"/{segment}" for at, segment in enumerate(shape))

    rank = {"*": 1, "**": 2}
    fitting = [shape for shape in shapes if serves(shape, path)]
    best = min(fitting, key=lambda shape: [rank.get(segment, 0) for segment in shape], default=None)
    match = found(router(*map(template, shapes)), "/" + "/".join(path))
    if best is None:
        assert match is None
    else:
        wild = [at for at, segment in enumerate(best) if "*" in segment]
        values = tuple("/".join(path[at:]) if best[at] == "**" else path[at] for at in wild)
        assert match == (template(best), values)


def test_behind_two_stars_the_longest_end_wins_and_in_it_literals() -> None:
    routes = router("/v1/{x=**}", "/v1/{x=**}/{y}/c", "/v1/{x=**}/b/{y}", "/v1/{x=**}/b/c", "/v1/{x=**}/{y}/{z}/d")
    assert found(routes, "/v1/a/b/c") == ("/v1/{x=**}/b/c", ("a",))
    assert found(routes, "/v1/a/b/e") == ("/v1/{x=**}/b/{y}", ("a", "e"))
    assert found(routes, "/v1/a/e/c") == ("/v1/{x=**}/{y}/c", ("a", "e"))
    assert found(routes, "/v1/a/e/e/d") == ("/v1/{x=**}/{y}/{z}/d", ("a", "e", "e"))
    assert found(routes, "/v1/a/e/e") == ("/v1/{x=**}", ("a/e/e",))


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("/", "/", ()),
        ("/v1/{x}", "/v1/a", ("a",)),
        ("/v1/{x=*}", "/v1/a", ("a",)),
        ("/v1/{x=shelves/*}", "/v1/shelves/3", ("shelves/3",)),
        ("/v1/{x=shelves/*/books/*}/y", "/v1/shelves/3/books/4/y", ("shelves/3/books/4",)),
        ("/v1/{x}/{y=**}", "/v1/a/b/c", ("a", "b/c")),
        ("/v1/{x=**}", "/v1", ("",)),
        ("/v1/{x=a/**}", "/v1/a", ("a",)),
        ("/v1/{x=a/**}", "/v1/a/b/c", ("a/b/c",)),
        ("/v1/{x=**}/tail", "/v1/tail", ("",)),
        ("/v1/{x=**}/tail", "/v1/a/tail/tail", ("a/tail",)),
        ("/v1/**/x/y", "/v1/a/x/y", ()),
        ("/v1/{x=**}/{y}", "/v1/a", ("", "a")),
        ("/v1/{x=**}/{y}", "/v1/a/b/c%2Fd", ("a/b", "c/d")),
        ("/v1/{x=a/*/**}/{y=b/*}/{z}", "/v1/a/p/q/r/b/s/t", ("a/p/q/r", "b/s", "t")),
        ("/v1/{x=a/*/**}/{y=b/*}/{z}", "/v1/a/p/b/s/t", ("a/p", "b/s", "t")),
        ("/v1/{x}:go", "/v1/a:go", ("a",)),
        ("/v1/{x=**}:go", "/v1/a/b:go", ("a/b",)),
        ("/v1/{x}:go:on", "/v1/a:go:on", ("a",)),
        ("/v1/{x}", "/v1/a:go", ("a:go",)),
        ("/v1/{x}", "/v1/:go", (":go",)),
        ("/v1/{x}:go", "/v1/a:b:go", ("a:b",)),
        ("/v1/{x}", "/v1/a%2Fb", ("a/b",)),
        ("/v1/{x}", "/v1/a%2fb%20c+d", ("a/b c+d",)),
        ("/v1/{x}", "/v1/%E4%BB%B6", ("件",)),
        ("/v1/{x}", "/v1/%2E%2E", ("..",)),
        ("/v1/{x=**}", "/v1/a%2Fb/c%20d", ("a%2Fb/c d",)),
        ("/v1/{x=**}", "/v1/a%2fb", ("a%2fb",)),
        ("/v1/{x=a/*}", "/v1/a/b%2Fc%25", ("a/b%2Fc%",)),
        ("/v1/a/{x}", "/v1/%61/b", ("b",)),
        ("/v1/{x}", "/v1/a%3Ago", ("a:go",)),
    ],
)
def test_a_path_is_captured(template: str, path: str, values: tuple[str, ...]) -> None:
    assert found(router(template), path) == (template, values)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v1/a", "/v1/a/"),
        ("/v1/{x}", "/v1/"),
        ("/v1/{x}", "/v1//"),
        ("/v1/{x}", "/v1/a/"),
        ("/v1/{x}", "/v1/a/b"),
        ("/v1/{x=**}", "/v1/"),
        ("/v1/{x=**}", "/v1/a//b"),
        ("/v1/{x=**}", "/v1/a/"),
        ("/v1/{x=**}/tail", "/v1/a"),
        ("/v1/{x}:go", "/v1/a"),
        ("/v1/{x}:go", "/v1/:go"),
        ("/v1/{x}:go", "/v1/a%3Ago"),
        ("/v1/a", "/v1/A"),
        ("/v1/a", "//v1/a"),
        ("/v1/a", "v1/a"),
        ("/v1/a", "*"),
        ("/v1/a", ""),
        ("/", "//"),
    ],
)
def test_a_path_that_no_template_takes_is_unknown(template: str, path: str) -> None:
    assert router(template).match("GET", path) == NoMatch(())


@pytest.mark.parametrize("path", ["/v1/%", "/v1/%2", "/v1/%zz", "/v1/a%2/b", "/nowhere/%g0"])
def test_a_malformed_percent_encoding_is_refused_whatever_the_route(path: str) -> None:
    with pytest.raises(BadPathError):
        router("/v1/{x}").match("GET", path)


def test_a_capture_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(BadPathError):
        router("/v1/{x}").match("GET", "/v1/%ff")


def test_a_custom_verb_is_one_only_where_it_is_registered() -> None:
    routes = router("/v1/{x}", "/v1/{x}:go", "/v1/{x}:go:on")
    assert found(routes, "/v1/a:go") == ("/v1/{x}:go", ("a",))
    assert found(routes, "/v1/a:go:on") == ("/v1/{x}:go:on", ("a",))
    assert found(routes, "/v1/a:stop") == ("/v1/{x}", ("a:stop",))


def test_a_custom_verb_of_another_method_is_no_data() -> None:
    routes = Router([route("GET", "/v1/{x}"), route("POST", "/v1/{x}:go")])
    assert routes.match("GET", "/v1/a:go") == NoMatch(("POST",))
    assert found(routes, "/v1/a%3Ago") == ("/v1/{x}", ("a:go",))
    assert routes.match("POST", "/v1/a:stop") == NoMatch(("GET", "HEAD"))


def test_a_known_path_under_another_method_says_which_it_has() -> None:
    routes = Router([route("GET", "/v1/{x}"), route("DELETE", "/v1/a"), route("PUT", "/v1/b")])
    assert routes.match("POST", "/v1/a") == NoMatch(("DELETE", "GET", "HEAD"))
    assert routes.match("POST", "/v1/c") == NoMatch(("GET", "HEAD"))
    assert found(routes, "/v1/a") == ("/v1/{x}", ("a",))


def test_head_is_served_by_get_and_a_custom_star_takes_any_method() -> None:
    routes = Router([route("GET", "/v1/a"), route("*", "/v1/b")])
    assert found(routes, "/v1/a", "HEAD") == ("/v1/a", ())
    assert found(routes, "/v1/b", "PURGE") == ("/v1/b", ())


def test_an_upgrade_finds_what_is_bidirectional_whatever_method_that_has() -> None:
    routes = Router(
        [route("GET", "/v1/a"), route("POST", "/v1/{x}", CHAT), route("*", "/v1/any"), route("GET", "/v1/b", CHAT)]
    )
    assert found(routes, "/v1/a", UPGRADE) == ("/v1/{x}", ("a",))
    assert found(routes, "/v1/b", UPGRADE) == ("/v1/b", ())
    assert found(routes, "/v1/any", UPGRADE) == ("/v1/{x}", ("any",))
    assert routes.match("DELETE", "/v1/c") == NoMatch(("POST",))


def test_matching_does_not_cost_more_with_more_routes() -> None:
    def seconds(count: int) -> float:
        routes = router(*(f"/v1/kind{number}/{{x}}/part{number}" for number in range(count)))
        best = 1.0
        for _ in range(7):
            started = time.perf_counter()
            for _ in range(200):
                routes.match("GET", f"/v1/kind{count - 1}/a/part{count - 1}")
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds(1000) < 3 * seconds(10)


async def test_a_contract_may_bind_any_method_and_a_star_takes_all() -> None:
    wire = Wire()
    routes = (
        route("BREW", "/v1/pots/{name}", body="*"),
        route("get", "/v1/low/{name}"),
        route("PLAY", "/v1/tapes/{name}"),
        route("*", "/v1/any/{name}"),
        route("GET", "/v1/any/special"),
    )
    async with serving(wire, definition(routes)) as served:
        http = served.http
        for verb, path in [
            ("BREW", "/v1/pots/a"), ("get", "/v1/low/b"), ("PLAY", "/v1/tapes/c"), ("WHATEVER", "/v1/any/d"),
            ("DELETE", "/v1/any/e"), ("GET", "/v1/any/special"), ("POST", "/v1/any/special"),
        ]:  # fmt: skip
            request = http.build_request(verb, path)
            request.method = verb  # httpx makes it upper-case
            assert (await http.send(request)).status_code == 200, verb
        brewed = await http.request("BREW", "/v1/pots/a", json={"i32": 5, "tags": ["x" * 5000]})
        assert brewed.json()["i32"] == 5
        wrong = await http.request("BOIL", "/v1/pots/a")
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "BREW")
        assert (await http.request("POST", "/v1/pots/a")).status_code == 405
    names = [request.name for request in wire.requests]
    assert names == ["a", "b", "c", "d", "e", "", "special", "a"]
