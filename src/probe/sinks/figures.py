"""How numbers and texts are shown to a person. What is missing is a dash, never a zero."""

MISSING = "-"


def ms(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0f}ms"


def number(value: float | None, digits: int = 0) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def shortened(text: str, width: int) -> str:
    """Return the text in one line of at most `width` characters, control characters made visible."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return line if len(line) <= width else line[: max(0, width - 3)].rstrip() + "..."
