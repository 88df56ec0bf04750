"""Where the templates, the schemas and copier.yml are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def root() -> Path:
    """The folder that holds `templates/`, `schemas/` and `copier.yml`."""
    package = Path(__file__).resolve().parent
    return package if (package / "templates").is_dir() else package.parent
