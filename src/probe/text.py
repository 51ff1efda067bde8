"""Makes untrusted text safe to print and store: text of a server, an operator or an error may contain anything."""

from collections.abc import Iterable

# What is longer is no word that somebody has mistyped.
_LONGEST_WORD = 100
_COLOUR = "0123456789;"
_LONGEST_COLOUR = 24
# From here on JSON writes a character as two halves, ten bits in each, as UTF-16 does.
_FIRST_OF_TWO = 0x10000
_HIGH_HALF, _LOW_HALF = 0xD800, 0xDC00


def one_line(text: str) -> str:
    """One printable line: control characters, line breaks and runs of white space become single spaces."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def cut(text: str, longest: int) -> str:
    """At most `longest` characters of the text, and an ellipsis after them where there was more."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: half a character (a lone surrogate, which JSON may hold) is replaced by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def shown(text: str) -> str:
    """What a terminal may be given: nothing in it moves the cursor, hides, reorders or asks for anything.

    Control characters (C1 such as U+009B, too), marks without a width and halves of characters become spaces; line
    breaks, tabs and our own colours (ESC [ digits m) stay.
    """
    if text.isprintable():
        return text
    first, *others = text.split("\x1b")
    parts = (_after_escape(part) for part in others)
    return _plain(first) + "".join(parts)


def on_page(text: str) -> str:
    """What a page may be given, before its characters are escaped: as `shown`, and no colours, which ESC begins."""
    return _plain(text)


def _after_escape(text: str) -> str:
    """What follows an ESC, with it where it is a colour."""
    code = text[1:_LONGEST_COLOUR].partition("m")[0] if text.startswith("[") else None
    if code is None or text[1 + len(code) : 2 + len(code)] != "m" or code.strip(_COLOUR):
        return " " + _plain(text)
    return f"\x1b[{code}m{_plain(text[len(code) + 2 :])}"


def _plain(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def escaped(document: str) -> str:
    """A JSON document with an escape for each character in its texts that does not show as itself."""
    return "\n".join(line if line.isprintable() else "".join(map(_escape, line)) for line in document.split("\n"))


def _escape(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if code < _FIRST_OF_TWO:
        return f"\\u{code:04x}"
    return f"\\u{_HIGH_HALF + (code - _FIRST_OF_TWO >> 10):04x}\\u{_LOW_HALF + (code & 0x3FF):04x}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of these words that was probably meant; None where none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - 5 ms that only a mistake takes

    return next(iter(get_close_matches(word[:_LONGEST_WORD], list(known), 1)), None)
