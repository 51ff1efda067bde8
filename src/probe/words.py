"""Compares two texts word by word, as speech recognition is judged. Pure."""

import unicodedata
from bisect import bisect_right

# Of each text so many words are compared: the work is their product.
MAX_WORDS = 500
# Of each text so many characters are looked at.
_MAX_CHARACTERS = 10_000
# Scripts that are written without spaces, from here to there: Thai and Lao, Burmese, Khmer, Chinese and Japanese.
# Of the first four a usual word has some four letters, of the others two characters.
_LETTERS, _SYLLABLES, _FIRST_CHINESE = 4, 2, 6
_UNSPACED = (
    0x0E00, 0x0F00, 0x1000, 0x10A0, 0x1780, 0x1800, 0x3005, 0x3008, 0x3040, 0x3100, 0x3400, 0x4DC0, 0x4E00, 0xA000,
    0xF900, 0xFB00, 0x20000, 0x40000,
)  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a text without case and punctuation; an apostrophe belongs to its word.

    In a script without spaces nobody agrees on what a word is: there each character counts as one.
    """
    plain = (
        unicodedata.normalize("NFKC", text[:_MAX_CHARACTERS]).casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    return [word for each in "".join(map(_kept, plain)).split() if (word := each.strip("'"))][:MAX_WORDS]


def parts_of_a_word(word: str) -> int:
    """How many of these make a word as people count them: several characters of a script without spaces, else one."""
    if not _is_unspaced(word[0]):
        return 1
    return _LETTERS if ord(word[0]) < _UNSPACED[_FIRST_CHINESE] else _SYLLABLES


def _is_unspaced(character: str) -> bool:
    return bool(bisect_right(_UNSPACED, ord(character)) % 2) and not character.isdecimal()


def _kept(character: str) -> str:
    """A character as a part of a word, or as one by itself; else as a space. A vowel sign belongs to its letter."""
    if not (character.isalnum() or character == "'" or unicodedata.category(character).startswith("M")):
        return " "
    return f" {character} " if _is_unspaced(character) else character


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
