"""`python -m generator`, and `python path/to/generator/__main__.py`, which is how copier runs the generator."""

import gc
import sys
from pathlib import Path

if not __package__:
    # Run by its path: the package, not its insides, must be what can be imported.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)


def run() -> int:
    """Runs the command line; where what it needs is not installed (copier has an environment of its own), says so."""
    gc.disable()  # a command keeps nearly all that it makes until it ends: looking for cycles is a tenth of its time
    try:
        from generator.cli import main

        return main()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "generator":
            raise
        hint = "install holdfast beside copier (pipx inject copier holdfast), or use `holdfast new`"
        sys.stderr.write(f"{sys.executable}: not-installed: {error}; {hint}\n")
        return 1


if __name__ == "__main__":
    sys.exit(run())
