"""How numbers and texts are shown to a person. What is missing is a dash, never a zero."""

from collections.abc import Iterator, Sequence

MISSING = "-"
TEXT = "Text"
_MIN_TEXT = 12


def ms(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f}ms"


def number(value: float | None, digits: int = 0) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def shortened(text: str, width: int) -> str:
    """Return the text in one line of at most `width` characters, control characters made visible."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= width else line[: max(0, width - 3)].rstrip() + "..."


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int = 0) -> Iterator[str]:
    """Lines of a table whose columns are as wide as their content.

    A last column named Text is free text: it is cut to what is left of `width`.
    """
    fixed = len(columns) - (columns[-1] == TEXT)
    widths = [max(len(column), *(len(row[i]) for row in rows)) for i, column in enumerate(columns[:fixed])]
    left = max(_MIN_TEXT, width - sum(widths) - 2 * len(widths))
    lines = [_table_line(row, widths, left) for row in (columns, *rows)]
    rule = "-" * max(len(line) for line in lines)
    yield from (rule, lines[0], rule, *lines[1:])


def _table_line(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
    return "  ".join([*cells, *(shortened(text, left) for text in row[len(widths) :])]).rstrip()
