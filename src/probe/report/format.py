"""How numbers and texts are shown to a person. What is missing is a dash, never a zero."""

import textwrap
from collections.abc import Iterator, Sequence

from probe.text import one_line

MISSING = "-"
TEXT = "Text"
_MIN_TEXT = 8


def ms(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f}ms"


def number(value: float | None, digits: int = 0) -> str:
    # Adding zero turns the minus zero that rounding leaves into a plain one.
    return MISSING if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def counted(count: int, what: str) -> str:
    """Return `1 token`, `2 tokens`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def wrapped(text: str, width: int, label: str = "") -> Iterator[str]:
    """Lines of at most `width` characters, the further ones indented under the first; long words stay whole."""
    yield from textwrap.wrap(
        text, width, initial_indent=label, subsequent_indent=" " * len(label),
        break_long_words=False, break_on_hyphens=False,
    ) or [label.rstrip()]  # fmt: skip


def shortened(text: str, width: int) -> str:
    """Return the text in one line of at most `width` characters, control characters left out."""
    line = one_line(text)
    return line if len(line) <= width else (line[: max(0, width - 3)].rstrip() + "...")[:width]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int = 0) -> Iterator[str]:
    """Lines of a table whose columns are as wide as their content: figures to the right, words to the left.

    A last column named Text is free text: it is cut to what is left of `width`.
    """
    fixed = len(columns) - (columns[-1] == TEXT)
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(fixed)]
    adjust = [str.rjust if all(_is_figure(row[i]) for row in rows) else str.ljust for i in range(fixed)]
    left = max(_MIN_TEXT, width - sum(widths) - 2 * len(widths))
    lines = [
        "  ".join([
            *(adjust[i](row[i], widths[i]) for i in range(fixed)),
            *(shortened(text, left) for text in row[fixed:]),
        ]).rstrip()
        for row in (columns, *rows)
    ]  # fmt: skip
    rule = "-" * max(len(line) for line in lines)
    yield from (rule, lines[0], rule, *lines[1:])


def _is_figure(cell: str) -> bool:
    return cell == MISSING or cell.lstrip("-")[:1].isdigit()
