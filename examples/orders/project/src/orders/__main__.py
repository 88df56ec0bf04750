"""Serves until SIGTERM or SIGINT: `python -m` this package."""

from .app import application
from .gen.definition import DEFINITION
from .runtime.lifecycle import main

if __name__ == "__main__":
    raise SystemExit(main(DEFINITION, application))
