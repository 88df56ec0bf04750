"""What an operator is told of a package that is missing."""

from __future__ import annotations

import pytest
from runtime.starting import StartError, require


def test_a_missing_package_is_named_with_what_wants_it() -> None:
    with pytest.raises(StartError, match=r"auth\.jwt needs the package PyJWT\[crypto\], which is not installed: .*pip"):
        require("no_such_module", "PyJWT[crypto]", "auth.jwt")


def test_a_package_that_is_there_is_no_matter() -> None:
    require("json", "json", "nobody")
