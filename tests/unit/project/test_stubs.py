"""Stubs go into a user's file without touching a byte that is there."""

import ast
import codecs
from collections.abc import Sequence

import pytest

from generator.project.stubs import Appended, append_stubs
from generator.render.emit import Import, Stub

MODULE = "..gen.pb.shop.v1.shop_pb2"


def stub(method: str, *imports: Import, owner: str = "Shop", source: str = "") -> Stub:
    text = (
        source
        or f'async def {method}(self, request: Req, call: Call) -> Res:\n    """Does it."""\n    raise errors.no()\n'
    )
    return Stub(owner, method, text, imports, f"/shop.v1.Shop/{method}", "unary", "Req", "Res")


def is_subsequence(old: bytes, new: bytes) -> bool:
    """Whether all of `old` is in `new`, in order."""
    rest = iter(new)
    return all(byte in rest for byte in old)


def added(old: bytes, *stubs: Stub) -> bytes:
    """What the file becomes; also that it parses, kept every byte, has each method once, and stays as it is then."""
    result = append_stubs(old, stubs)
    assert not result.left, result.reason
    assert is_subsequence(old, result.content)
    owner = next(node for node in ast.parse(result.content).body if isinstance(node, ast.ClassDef))
    names = [node.name for node in owner.body if isinstance(node, ast.AsyncFunctionDef)]
    assert all(names.count(one.method) == 1 for one in stubs)
    assert append_stubs(result.content, stubs).content == result.content
    return result.content


PLAIN = b'''"""Handlers."""

from ..gen import errors


class Shop(ShopBase):
    """Sells."""

    async def buy(self, request: Req, call: Call) -> Res:
        """Buys."""
        return Res()


def after() -> None: ...
'''


def test_a_stub_goes_to_the_end_of_its_class() -> None:
    assert added(PLAIN, stub("sell")) == PLAIN.replace(
        b"        return Res()\n",
        b"        return Res()\n\n"
        b"    async def sell(self, request: Req, call: Call) -> Res:\n"
        b'        """Does it."""\n'
        b"        raise errors.no()\n",
    )


def test_several_stubs_keep_their_order() -> None:
    content = added(PLAIN, stub("sell"), stub("rent"))

    assert content.index(b"def sell") < content.index(b"def rent") < content.index(b"def after")


@pytest.mark.parametrize(
    "binding",
    [
        b"    def buy(self): ...",
        b"    buy = other",
        b"    if FAST:\n        async def buy(self): ...",
        b"    try:\n        pass\n    except ValueError:\n        pass\n    else:\n        from x import buy",
    ],
)
def test_a_method_that_the_class_has_in_any_form_is_not_added(binding: bytes) -> None:
    content = b"class Shop:\n" + binding + b"\n"

    assert append_stubs(content, [stub("buy")]) == Appended(content, ())


def test_comments_at_the_end_of_the_class_stay_with_what_they_follow() -> None:
    content = added(b"class Shop:\n    x = 1\n    # about x\n\n    # more\n# not the class's\ny = 2\n", stub("sell"))

    assert content.startswith(b"class Shop:\n    x = 1\n    # about x\n\n    # more\n\n    async def sell")
    assert content.endswith(b"# not the class's\ny = 2\n")


@pytest.mark.parametrize("newline", [b"\r\n", b"\r", b"\n"])
def test_line_endings_of_the_file_are_used(newline: bytes) -> None:
    content = added(PLAIN.replace(b"\n", newline), stub("sell"))

    assert content.replace(newline, b"\n") == added(PLAIN, stub("sell"))


def test_a_byte_order_mark_stays_first() -> None:
    content = added(codecs.BOM_UTF8 + b"class Shop:\n    x = 1\n", stub("sell", Import(MODULE, "Req")))

    assert content.startswith(codecs.BOM_UTF8 + b"from ..gen.pb.shop.v1.shop_pb2 import Req\n\n\nclass Shop:")


def test_tabs_and_odd_indentation_are_taken_over() -> None:
    assert b"\n\tasync def sell" in added(b"class Shop:\n\tdef buy(self):\n\t\tpass\n", stub("sell"))
    assert b'\n\t\t"""Does it."""' in added(b"class Shop:\n\tdef buy(self):\n\t\tpass\n", stub("sell"))
    assert b'\n  async def sell(self, request: Req, call: Call) -> Res:\n    """' in added(
        b"class Shop:\n  x = 1\n", stub("sell")
    )


def test_a_missing_newline_at_the_end_of_the_file_is_supplied() -> None:
    content = added(b"class Shop:\n    x = 1", stub("sell"))

    assert content.startswith(b"class Shop:\n    x = 1\n\n    async def sell")


def test_form_feeds_and_odd_separators_in_strings_do_not_count_as_lines() -> None:
    source = 'class Shop:\n\f    x = "\u2028\x85\x0b\x1c"\n    y = """\n\u2029\n"""\n\f\nz = 1\n'.encode()

    content = added(source, stub("sell"))

    assert b'"""\n\n    async def sell' in content
    assert content.endswith(b"\f\nz = 1\n")


def test_the_file_keeps_its_encoding() -> None:
    source = "# -*- coding: latin-1 -*-\nclass Shop:\n    name = 'é'\n".encode("latin-1")
    french = stub("sell", source='async def sell(self) -> None:\n    """Été."""\n')

    assert '    """Été."""'.encode("latin-1") in added(source, french)


def test_a_stub_that_the_encoding_cannot_hold_is_left_to_the_user() -> None:
    source = b"# -*- coding: ascii -*-\nclass Shop:\n    x = 1\n"

    result = append_stubs(source, [stub("sell", source='async def sell(self) -> None:\n    """下单。"""\n')])

    assert result.content == source
    assert [one.method for one in result.left] == ["sell"]
    assert result.reason == "the file's encoding, ascii, has no letters for it"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"class Shop:\n    def buy(:\n", "the file does not parse"),
        (b"class Shop:\n\tx = 1\n        y = 2\n", "the file does not parse"),
        (b"x = '\x00'\n", "the file does not parse"),
        (b"# coding: no-such-encoding\nclass Shop:\n    x = 1\n", "the file does not parse"),
        (b"class Store:\n    x = 1\n", "class Shop is not in the file"),
        (b"class Shop: x = 1\n", "class Shop has no place for a method on a line of its own"),
        (b"class Shop: pass", "class Shop has no place for a method on a line of its own"),
        (b"", "class Shop is not in the file"),
    ],
)
def test_a_file_with_no_place_for_the_stub_is_left_alone(source: bytes, reason: str) -> None:
    result = append_stubs(source, [stub("sell")])

    assert result == Appended(source, (), (stub("sell"),), reason)


def test_what_has_a_place_is_added_beside_what_has_none() -> None:
    result = append_stubs(b"class Shop:\n    x = 1\n", [stub("sell"), stub("sell", owner="Other")])

    assert [one.class_name for one in result.added] == ["Shop"]
    assert [one.class_name for one in result.left] == ["Other"]


def test_the_last_of_two_classes_of_one_name_is_the_one_meant() -> None:
    content = append_stubs(b"class Shop:\n    x = 1\n\nclass Shop:\n    y = 2\n", [stub("sell")]).content

    assert content.startswith(b"class Shop:\n    x = 1\n\nclass Shop:\n    y = 2\n\n    async def sell")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # joins the import of its module, in order
        ("from ..m import A, C", "from ..m import A, B, C"),
        ("from ..m import A", "from ..m import A, B"),
        ("from ..m import C", "from ..m import B, C"),
        ("from ..m import (\n    A,\n    C,\n)", "from ..m import (\n    A,\n    B,\n    C,\n)"),
        ("from ..m import (\n    A,\n)", "from ..m import (\n    A,\n    B,\n)"),
        ("from ..m import (\n    A\n)", "from ..m import (\n    A,\n    B\n)"),
        ("from ..m import CONSTANT, lower", "from ..m import CONSTANT, B, lower"),
        # or stands at its module's place
        ("from ..a import A\nfrom ..z import Z", "from ..a import A\nfrom ..m import B\nfrom ..z import Z"),
        ("from .a import A", "from ..m import B\nfrom .a import A"),
        ("from ...a import A", "from ...a import A\nfrom ..m import B"),
        ("import os", "import os\n\nfrom ..m import B"),
        ("import os; import re", "import os; import re\n\nfrom ..m import B"),
        ("from __future__ import annotations", "from __future__ import annotations\n\nfrom ..m import B"),
        ('"""Doc."""', '"""Doc."""\n\nfrom ..m import B'),
        ("from ..m import *", "from ..m import *\nfrom ..m import B"),
        ('import os; X = """\ny\n"""', 'import os; X = """\ny\n"""\n\nfrom ..m import B'),
        # or is there already
        ("from ..m import B", "from ..m import B"),
        ("from x import y as B", "from x import y as B"),
        ("if X:\n    from ..m import B\nelse:\n    B = None", "if X:\n    from ..m import B\nelse:\n    B = None"),
        (
            "from __future__ import annotations\nif TYPE_CHECKING:\n    from ..m import B",
            "from __future__ import annotations\nif TYPE_CHECKING:\n    from ..m import B",
        ),
        # which an import for type checkers alone is not, where annotations are evaluated
        (
            "import os\nif TYPE_CHECKING:\n    from ..m import B",
            "import os\n\nfrom ..m import B\nif TYPE_CHECKING:\n    from ..m import B",
        ),
    ],
)
def test_imports_go_to_their_place(before: str, after: str) -> None:
    owner = "\n\n\nclass Shop:\n    x = 1\n"

    content = added((before + owner).encode(), stub("sell", Import("..m", "B"))).decode()

    assert content.startswith(after + owner)


def test_an_import_below_the_class_is_not_moved_nor_followed() -> None:
    content = added(b"import a\n\n\nclass Shop:\n    x = 1\n\n\nimport z\n", stub("sell", Import("..m", "B")))

    assert content.startswith(b"import a\n\nfrom ..m import B\n")
    assert content.endswith(b"\n\n\nimport z\n")


def test_a_name_that_means_something_else_is_reported() -> None:
    result = append_stubs(b"B = 1\nclass Shop:\n    x = 1\n", [stub("sell", Import("..m", "B"))])

    assert result.shadowed == (Import("..m", "B"),)
    assert b"import" not in result.content


def test_an_alias_gets_an_import_of_its_own() -> None:
    content = added(b"from ..m import A\n\n\nclass Shop:\n    x = 1\n", stub("sell", Import("..m", "B", "MB")))

    assert content.startswith(b"from ..m import A\nfrom ..m import B as MB\n")


def test_an_import_that_grows_too_long_gets_company() -> None:
    names = ", ".join(f"LongName{number}" for number in range(9))
    content = added(
        f"from ..m import {names}\n\n\nclass Shop:\n    x = 1\n".encode(), stub("a", Import("..m", "Zz" * 5))
    )

    assert content.startswith(f"from ..m import {names}\nfrom ..m import ZzZzZzZzZz\n".encode())


def test_decorated_nested_and_trailing_code_is_no_obstacle() -> None:
    sources: Sequence[bytes] = (
        b"@d\nclass Shop(\n    A,\n    B,\n):\n    @d(1,\n       2)\n    async def buy(self):\n        def inner():\n            pass\n        return inner\n",
        b"class Shop:\n    class Inner:\n        pass\nif True:\n    x = 1\n",
        b"class Shop:\n    x = 1; y = 2 # c\nz = 3\n",
        b"class Shop:\n    def buy(self): return (\n1)\n",
        b"class Shop:\n    x = 1 + \\\n2\n",
    )
    for source in sources:
        assert b"async def sell" in added(source, stub("sell", Import("..m", "B")))
