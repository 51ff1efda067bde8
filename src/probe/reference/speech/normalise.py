"""What is done to a text before an engine sees it."""

import unicodedata

QUOTES = dict.fromkeys("‘’‚‛′‹›", "'") | dict.fromkeys("“”„‟″«»", '"')  # noqa: RUF001 - what this is about
DASHES = dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001 - as above
PLAIN = str.maketrans(QUOTES | DASHES)
UNSPEAKABLE = {"Cc", "Cs"}  # control characters and lone surrogates make engines raise


def normalise(text: str) -> str:
    """Make Unicode quotes, dashes and digits plain; turn what no engine can take into white space."""
    return "".join(map(_plain, text.translate(PLAIN)))


def _plain(character: str) -> str:
    if character.isdigit() and not character.isdecimal():
        # Raised, lowered or in a circle: engines take them for numbers, and can't read them as such.
        return str(unicodedata.digit(character))
    return " " if unicodedata.category(character) in UNSPEAKABLE and character != "\n" else character
