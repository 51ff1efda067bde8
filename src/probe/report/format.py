"""How numbers and texts are printed. A missing value is a dash, never a zero."""

import textwrap
from collections.abc import Iterator, Sequence

from probe.text import one_line

MISSING = "-"
TEXT = "Text"
_MIN_TEXT = 8
_STEPS = (1, 2, 5)
_GAP = 2
# Before what is said of a row on lines of its own.
_BELOW = "    "


def ms(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f}ms"


def number(value: float | None, digits: int = 0) -> str:
    # Adding zero turns the minus zero that rounding leaves into a plain one.
    return MISSING if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def lasting(seconds: float) -> str:
    """How long something lasts, in its largest whole unit: `45 s`, `12 min`, `3 h`, `2 d`."""
    for unit, length, until in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48)):
        if round(seconds / length) < until:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def counted(count: int, what: str) -> str:
    """Return `1 token`, `2 tokens`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def wrapped(text: str, width: int, label: str = "") -> Iterator[str]:
    """Lines of at most `width` characters, the further ones indented under the first; long words stay whole."""
    yield from textwrap.wrap(
        text, width, initial_indent=label, subsequent_indent=" " * len(label),
        break_long_words=False, break_on_hyphens=False,
    ) or [label.rstrip()]  # fmt: skip


def wrapped_as_it_is(line: str, width: int, indent: str) -> Iterator[str]:
    """The line, its spaces as they are; what is over `width` goes on in lines that are indented."""
    if len(line) <= width:
        yield line
        return
    yield from textwrap.wrap(
        line, width, subsequent_indent=indent, replace_whitespace=False, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def shortened(text: str, width: int) -> str:
    """Return the text in one line of at most `width` characters, control characters left out."""
    line = one_line(text)
    return line if len(line) <= width else (line[: max(0, width - 3)].rstrip() + "...")[:width]


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int = 0, spare: Sequence[str] = ()
) -> Iterator[str]:
    """Lines of a table whose columns are as wide as their content: figures to the right, words to the left.

    A last column named Text is free text: it is cut to what is left of `width`. Where the others alone are wider, those
    named in `spare` are left out, one after the other, until they fit.
    """
    places = _fitting(columns, rows, width, spare)
    yield from _table([columns[n] for n in places], [[row[n] for n in places] for row in rows], width)


def annotated(
    columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str], width: int, spare: Sequence[str] = ()
) -> Iterator[tuple[str, ...]]:
    """A table, as lines for the header, then for each row, that shows each row's note whole.

    The note stands in the last column, named Text, instead of the row's own text, where it fits there, else on lines of
    its own below the row. That column may be one of `spare`.
    """
    places = _fitting(columns, rows, width, spare)
    fixed = [n for n in places if columns[n] != TEXT]
    left = max(_MIN_TEXT, width - _taken(columns, rows, fixed)) if len(fixed) < len(places) else 0
    inside = [note if len(note) <= left else "" for note in notes]
    shown = [
        [text if note and columns[n] == TEXT else row[n] for n in places]
        for row, note, text in zip(rows, notes, inside, strict=True)
    ]
    rule, header, _, *lines = _table([columns[n] for n in places], shown, width)
    yield (rule, header, rule)
    for line, note, text in zip(lines, notes, inside, strict=True):
        below = wrapped(one_line(note), width, _BELOW) if note and not text else ()
        yield (line, *below)


def without_empty(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The columns in which some row has something, and the rows without the others."""
    filled = [n for n in range(len(columns)) if any(row[n] not in (MISSING, "") for row in rows)]
    return [columns[n] for n in filled], [[row[n] for n in filled] for row in rows]


def _fitting(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, spare: Sequence[str]) -> list[int]:
    """The places of the columns that are shown."""
    places = list(range(len(columns)))
    for name in spare:
        text = _MIN_TEXT if columns[places[-1]] == TEXT else -_GAP
        if _taken(columns, rows, [n for n in places if columns[n] != TEXT]) + text <= width:
            break
        places = [n for n in places if columns[n] != name]
    return places


def round_step(least: float) -> int:
    """The first of 1, 2, 5, 10, 20, 50, ... that is not less: the distance of the marks on an axis."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= least:
                return step * power
        power *= 10


def _taken(columns: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int]) -> int:
    """How wide these columns are, with the gap behind each."""
    return sum(max(len(row[n]) for row in (columns, *rows)) + _GAP for n in places)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    fixed = len(columns) - (columns[-1] == TEXT)
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(fixed)]
    adjust = [str.rjust if all(_is_figure(row[i]) for row in rows) else str.ljust for i in range(fixed)]
    left = max(_MIN_TEXT, width - sum(widths) - _GAP * len(widths))
    lines = [
        (" " * _GAP).join([
            *(adjust[i](row[i], widths[i]) for i in range(fixed)),
            *(shortened(text, left) for text in row[fixed:]),
        ]).rstrip()
        for row in (columns, *rows)
    ]  # fmt: skip
    rule = "-" * max(len(line) for line in lines)
    yield from (rule, lines[0], rule, *lines[1:])


def _is_figure(cell: str) -> bool:
    return cell == MISSING or cell.lstrip("-")[:1].isdigit()
