"""The line of a key in a TOML file, for error messages."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from probe.config.errors import Key

# Behind a value that goes on for more lines, keys have no line: each line more would have to be tried.
_MOST_LINES = 200


def line_of(text: str, key: Key) -> int | None:
    """The line, from 1, of this key, or of the nearest table around it; None where the file has neither."""
    lines = _lines(text)
    for length in range(len(key), 0, -1):
        if (line := lines.get(tuple(str(part) for part in key[:length]))) is not None:
            return line
    return None


@lru_cache(maxsize=1)
def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line in which each key begins. The text is valid TOML."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for line, statement, written in _statements(text):
        keys = list(_keys(written))
        if statement.startswith("["):
            table = keys[-1]
        else:
            keys = [(*table, *each) for each in keys]
        for each in keys:
            found.setdefault(each, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Each header and each assignment, with its first line: the fewest lines that are valid by themselves."""
    import tomllib  # noqa: PLC0415 - only a mistake needs it

    lines = text.split("\n")
    at = 0
    while at < len(lines):
        for end in range(at + 1, min(len(lines), at + _MOST_LINES) + 1):
            statement = "\n".join(lines[at:end])
            try:
                written = tomllib.loads(statement)
            except (tomllib.TOMLDecodeError, RecursionError):
                continue
            if written:
                yield at + 1, statement.lstrip(), written
            break
        else:
            return
        at = end


def _keys(written: Any) -> Iterator[tuple[str, ...]]:
    """The keys of nested tables, the outer ones first."""
    if isinstance(written, dict):
        for name, value in written.items():
            yield (name,)
            yield from ((name, *below) for below in _keys(value))
    elif isinstance(written, list) and written:
        # A table of an array: its keys are those of its place.
        yield from (("0", *below) for below in _keys(written[0]))
