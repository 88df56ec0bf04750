"""The command line: parses arguments, calls, prints; what each command does is in `generator.project`.

A module has the commands of one purpose. What only some of them need is imported inside them, so that the others need
not wait for it.
"""

from generator.cli.program import command, main

__all__ = ["command", "main"]
