"""Compares two texts word by word, as speech recognition is judged. Pure."""

import unicodedata

# Of each text so many words are compared: the work is their product.
MAX_WORDS = 500
# Of each text so many characters are looked at.
_MAX_CHARACTERS = 10_000


def words(text: str) -> list[str]:
    """The words of a text without case and punctuation; an apostrophe belongs to its word."""
    plain = (
        unicodedata.normalize("NFKC", text[:_MAX_CHARACTERS]).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    kept = "".join(c if c.isalnum() or c == "'" or unicodedata.category(c) == "Mn" else " " for c in plain)
    return [word for each in kept.split() if (word := each.strip("'"))][:MAX_WORDS]


def error_rate(said: str, understood: str) -> float | None:
    """Word error rate: words substituted, left out and added, per word that was said.

    0 for the same words; above 1 where many were added. None where no word was said.
    """
    reference, found = words(said), words(understood)
    return distance(reference, found) / len(reference) if reference else None


def is_beginning(said: list[str], understood: list[str]) -> bool:
    """Whether the second words are the first of the first, and not all of them: what was said was cut off."""
    return 0 < len(understood) < len(said) and said[: len(understood)] == understood


def has_nothing_of(said: list[str], understood: list[str]) -> bool:
    """Whether none of the first words is among the second."""
    return bool(said) and set(said).isdisjoint(understood)


def distance(reference: list[str], found: list[str]) -> int:
    """Levenshtein's, over words."""
    row = list(range(len(found) + 1))
    for number, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(found, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]
