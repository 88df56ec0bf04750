"""Where the templates, the schemas and copier.yml are, and where what can be had again is kept."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def root() -> Path:
    """The folder that holds `templates/`, `schemas/` and `copier.yml`: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    return package if (package / "templates").is_dir() else package.parent


def cache_folder() -> Path:
    """The folder of the user's for what only saves time: it may be deleted whenever nothing runs."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    return Path(folder, "holdfast")
