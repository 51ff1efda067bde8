"""What is done to a text before an engine sees it."""

import re
import unicodedata

QUOTES = dict.fromkeys("‘’‚‛′‹›", "'") | dict.fromkeys("“”„‟″«»", '"')  # noqa: RUF001 - what this is about
DASHES = dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001 - as above
PLAIN = str.maketrans(QUOTES | DASHES)
UNSPEAKABLE = {"Cc", "Cs"}  # control characters and lone surrogates make engines raise
# Longer than any number that is read as one; engines know no word for such.
LONG_NUMBER = re.compile(r"\d[\d,]{17,}")


def normalise(text: str) -> str:
    """Make Unicode quotes, dashes and digits plain; turn what no engine can take into white space.

    A number of more than 18 digits is read digit by digit.
    """
    plain = "".join(map(_plain, text.translate(PLAIN)))
    return LONG_NUMBER.sub(lambda found: " ".join(found[0]), plain)


def _plain(character: str) -> str:
    if character.isdigit() and not character.isdecimal():
        # Raised, lowered or in a circle: engines take them for numbers, and can't read them as such.
        return str(unicodedata.digit(character))
    return " " if unicodedata.category(character) in UNSPEAKABLE and character != "\n" else character
