"""Foreign text, made fit to be shown and stored: what a server, an operator or an error says may hold anything."""

from collections.abc import Iterable

# What is longer is no word that somebody has mistyped.
_LONGEST_WORD = 100


def one_line(text: str) -> str:
    """One printable line: control characters, line breaks and runs of white space become single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cut(text: str, longest: int) -> str:
    """At most `longest` characters of the text, and an ellipsis after them where there was more."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: half a character (a lone surrogate, which JSON may hold) is replaced by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of these words that was probably meant; None where none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms that only a mistake takes

    return next(iter(get_close_matches(word[:_LONGEST_WORD], list(known), 1)), None)
