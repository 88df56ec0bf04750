"""`python -m generator`, and `python path/to/generator/__main__.py`, which is how copier runs the generator."""

import sys
from pathlib import Path

if not __package__:
    # Run by its path: the package, not its insides, must be what can be imported.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from generator.cli import main

if __name__ == "__main__":
    sys.exit(main())
