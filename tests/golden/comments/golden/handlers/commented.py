"""Handlers of golden.v1.Commented: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from ..gen import errors
from ..gen.pb.golden.v1.comments_pb2 import Thing
from ..gen.services.commented import CommentedBase
from ..runtime.call import Call


class Commented(CommentedBase):
    """Says \"\"\"what it does\"\"\", with \\ backslashes \\n and {{ braces }} {% and percent %}.

    A second paragraph, "quoted at its end"
    """

    async def quotes(self, request: Thing, call: Call) -> Thing:
        """\"\"\" """
        raise errors.unimplemented("/golden.v1.Commented/Quotes")

    async def backslash(self, request: Thing, call: Call) -> Thing:
        """Ends with a backslash \\"""
        raise errors.unimplemented("/golden.v1.Commented/Backslash")

    async def bidirectional(self, request: Thing, call: Call) -> Thing:
        """Right to left: \\u202e and an isolate \\u2066 inside."""
        raise errors.unimplemented("/golden.v1.Commented/Bidirectional")

    async def block(self, request: Thing, call: Call) -> Thing:
        """A block comment
        with an indented line
        """
        raise errors.unimplemented("/golden.v1.Commented/Block")

    async def silent(self, request: Thing, call: Call) -> Thing:
        """Serves golden.v1.Commented.Silent."""
        raise errors.unimplemented("/golden.v1.Commented/Silent")

    async def trailing(self, request: Thing, call: Call) -> Thing:
        """What stands behind."""
        raise errors.unimplemented("/golden.v1.Commented/Trailing")
