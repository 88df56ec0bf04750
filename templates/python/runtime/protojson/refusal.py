"""Why JSON is no such message, and where in it."""

from __future__ import annotations

_MAX_KEY = 100  # characters of a caller's own key in a path


class RefusedError(Exception):
    """JSON that no message can be made of.

    `description` is a predicate that the field is the subject of ("must be an integer"); `path` leads to the field
    from the top, in the names that the JSON has (`lines[2].unitPrice`, `labels[a]`), and is "" for the whole.
    """

    def __init__(self, description: str, path: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.path = path

    def below(self, key: str) -> RefusedError:
        """The refusal, seen from the object that has what is refused under `key`."""
        return self._under(key[:_MAX_KEY])

    def at(self, index: int | str) -> RefusedError:
        """The refusal, seen from the array or the map that has what is refused as its element."""
        return self._under(f"[{str(index)[:_MAX_KEY]}]")

    def _under(self, step: str) -> RefusedError:
        joint = "." if self.path and not self.path.startswith("[") else ""
        return type(self)(self.description, f"{step}{joint}{self.path}")
