"""How far something slow has come, in one line on stderr: nothing of what is over soon."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")
# What takes no longer has no progress; then a terminal's line is written as often, and a file has a line as rarely.
_SOON_S, _LINE_S, _FILE_S = 1.0, 0.3, 10.0
_EVERY = 200
# To the line's start, and nothing behind what was written.
_BACK, _ERASE = "\r", "\x1b[K"


def counted(
    items: Iterable[T], what: str, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """Pass the items on, and say how many there were so far where it takes long, such as `runs of spark: 12000`."""
    out = sys.stderr if stream is None else stream
    once_more, number = now() + _SOON_S, 0
    written = False
    for number, item in enumerate(items, 1):
        yield item
        if number % _EVERY == 0 and (at := now()) >= once_more:
            once_more = at + (_LINE_S if out.isatty() else _FILE_S)
            _write(out, f"{what}: {number}")
            written = True
    if written and out.isatty():
        out.write(f"{_BACK}{_ERASE}")
        out.flush()


def _write(out: TextIO, text: str) -> None:
    out.write(f"{_BACK}{text}{_ERASE}" if out.isatty() else f"{text}\n")
    out.flush()
