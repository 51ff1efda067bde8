"""What is done to a text before an engine sees it."""

import unicodedata

QUOTES = dict.fromkeys("‘’‚‛′‹›", "'") | dict.fromkeys("“”„‟″«»", '"')  # noqa: RUF001 - what this is about
DASHES = dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001 - as above
PLAIN = str.maketrans(QUOTES | DASHES)
UNSPEAKABLE = {"Cc", "Cs"}  # control characters and lone surrogates make engines raise


def normalise(text: str) -> str:
    """Make Unicode quotes and dashes plain; turn what no engine can take (control characters) into white space."""
    plain = text.translate(PLAIN)
    return "".join(" " if unicodedata.category(each) in UNSPEAKABLE and each != "\n" else each for each in plain)
