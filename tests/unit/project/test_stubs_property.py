"""Whatever a user's file looks like: every byte stays, in order, and the stub is in its class or left to the user."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from generator.project.stubs import append_stubs, class_of
from generator.render.emit import Import, Stub

STUB = Stub(
    "Shop",
    "sell",
    'async def sell(self, request: Sell, call: Call) -> Res:\n    """Sells 東西.\n\n    At once.\n    """\n    return Res()\n',
    (Import("..gen.pb.shop_pb2", "Res"), Import("..gen.pb.shop_pb2", "Sell"), Import("..runtime.call", "Call")),
    "/shop.Shop/Sell",
    "unary",
    "Sell",
    "Res",
)

HEADS = st.sampled_from(
    [
        "#!/usr/bin/env python\n",
        "# -*- coding: utf-8 -*-\n",
        "# coding: latin-1\n",
        '"""Doc."""\n',
        "from __future__ import annotations\n",
        "import os\n",
        "import os; X = '''a\n\u2028b'''\n",
        "from ..gen.pb.shop_pb2 import Res\n",
        "from ..gen.pb.shop_pb2 import (\n    Req,\n    Res as R,\n)\n",
        "from ..runtime.call import \\\n    Call\n",
        "if TYPE_CHECKING:\n    from x import Sell\n",
        "try:\n    import fast\nexcept ImportError:\n    fast = None\n",
        "\n\f\n",
        "# a comment\n",
        "x = 1\n",
    ]
)
MEMBERS = st.sampled_from(
    [
        "    x = 1\n",
        "    x = 1; y = 2\n",
        '    """Doc: \u2029 \x85 é."""\n',
        "    @d(\n        1,\n    )\n    async def buy(self, request, call):\n        return '''\n\n  text\n'''\n",
        "    def one(self): return 1\n",
        "    class Inner:\n        def sell(self): ...\n",
        "    if True:\n        y = 1\n    else:\n        y = 2\n",
        "    z = 1 + \\\n  2\n",
        "    # a comment\n",
        "        # deeper\n",
        "\n",
        "\f\n",
        "    def broken(:\n",
        "    async def sell(self): ...\n",
    ]
)
TAILS = st.sampled_from(
    ["\n\ndef after():\n    pass\n", "x = Shop()\n", "# the end", "\n", "import late\n", "if True:\n    pass", '"""']
)


@st.composite
def modules(draw: st.DrawFn) -> bytes:
    header = draw(st.sampled_from(["class Shop:\n", "class Shop(A, B):  # c\n", "@d\nclass Shop(\n    A,\n):\n"]))
    heads, members, tails = st.lists(HEADS, max_size=4), st.lists(MEMBERS, min_size=1, max_size=5), st.lists(TAILS)
    text = "".join([*draw(heads), header, *draw(members), *draw(tails)])
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = text.replace("    ", "\t")
    content = text.encode().replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + content


@given(modules())
def test_every_byte_stays_and_the_stub_finds_its_class(content: bytes) -> None:
    result = append_stubs(content, [STUB])

    rest = iter(result.content)
    assert all(byte in rest for byte in content)
    if result.left:
        assert result.content == content
        assert result.reason
        return
    owner = class_of(ast.parse(result.content), "Shop")
    assert owner is not None
    assert "sell" in [getattr(node, "name", None) for node in owner.body]
    assert append_stubs(result.content, [STUB]).content == result.content
