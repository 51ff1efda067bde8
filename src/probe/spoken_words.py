"""Compares a text with what a recogniser wrote down of it: numbers count as the same, in digits or in words. Pure.

A voice reads "21 °C" as "twenty-one degrees", and one recogniser writes "21", another "twenty one". Words for numbers
are those of English; those of any other language are words like any other.
"""

import re
from collections.abc import Iterable, Iterator

from probe import words

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
)  # fmt: skip
_SMALL = (
    {word: number for number, word in enumerate(_UNITS)}
    | {word: 20 + 10 * number for number, word in enumerate(_TENS)}
    | {word: number for number, word in enumerate(_ORDINALS, 1)}
    | {f"{word[:-1]}ieth": 20 + 10 * number for number, word in enumerate(_TENS)}
)
_HUNDRED = ("hundred", "hundredth")
# What of a number in words has so many places: of "twenty" one is free, of "two hundred" two, of "two thousand" three.
_TEN, _TWENTY, _ONE_HUNDRED, _ONE_THOUSAND = 10, 20, 100, 1000
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
# What such a word adds to a number in digits ("3 million"; of "3.5 million" to the part behind the point).
_ZEROS = dict.fromkeys(_HUNDRED, "00") | {word: f"{number}"[1:] for word, number in _LARGE.items()}
# As they are spoken: those of money behind the number.
_SIGNS = {"%": "percent", "&": "and", "\N{DEGREE SIGN}": "degrees", "+": "plus"}
_MONEY = {"$": "dollars", "\N{EURO SIGN}": "euros", "\N{POUND SIGN}": "pounds"}
_ORDINAL_ENDINGS = ("st", "nd", "rd", "th")
# Longer ones are no numbers that anybody says.
_MOST_DIGITS = 15
_MOST_CHARACTERS = 10_000
_MARKUP = re.compile(r"<[^<>]*>")


def spoken_words(text: str) -> list[str]:
    """The words as they are compared: without case, punctuation and markup, and each number as its digits.

    Numbers next to each other are one ("1,000", "nineteen eighty-four", a telephone number): where one ends and the
    next begins can't be heard.
    """
    return [*_joined(_numbers(_counted(_money_behind(words.words(_with_signs(text))))))]


def compared(said: str, understood: str) -> tuple[int, int]:
    """How many words were said, and how many were substituted, left out or added in what was understood."""
    reference = spoken_words(said)
    return len(reference), words.distance(reference, spoken_words(understood))


def error_rate(said: str, understood: str) -> float | None:
    """Word error rate: words substituted, left out and added, per word that was said.

    0 for the same words; above 1 where many were added. None where no word was said.
    """
    count, errors = compared(said, understood)
    return errors / count if count else None


def _with_signs(text: str) -> str:
    """Signs as words, and no markup, which is not spoken."""
    signs = _SIGNS | _MONEY
    plain = _MARKUP.sub(" ", text[:_MOST_CHARACTERS])
    return "".join(f" {signs[each]} " if each in signs else each for each in plain)


def _money_behind(found: Iterable[str]) -> Iterator[str]:
    """Of `$5` the sign is spoken last."""
    money: str | None = None
    before = ""
    for word in found:
        if money is not None and not _is_number(word):
            yield money
            money = None
        if money is None and word in _MONEY.values() and not _is_number(before):
            money = word
        else:
            yield word
        before = word
    if money is not None:
        yield money


def _counted(found: Iterable[str]) -> Iterator[str]:
    """The words with one hundred for "a hundred"."""
    article = False
    for word in found:
        if article:
            yield "one" if word in _ZEROS else "a"
        article = word == "a"
        if not article:
            yield word
    if article:
        yield "a"


def _is_number(word: str) -> bool:
    return word.isdecimal() or word in _SMALL or word in _HUNDRED or word in _LARGE


def _numbers(found: Iterable[str]) -> Iterator[str]:
    """Each number, of one or more words, as its digits."""
    number = _Number()
    digits = ""
    for word in found:
        if digits and word in _ZEROS:
            digits += _ZEROS[word]
            continue
        if digits:
            yield digits
            digits = ""
        if number.takes(word):
            continue
        yield from number.ended()
        if number.takes(word):
            continue
        digits = _digits(word) or ""
        if not digits:
            yield word
    yield from ([digits] if digits else number.ended())


class _Number:
    """A number in words, as far as it has come: "two hundred and five thousand"."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._total = self._part = 0
        # Of how many more the part can be: after "twenty" a one to nine, after "two hundred" a one to ninety-nine.
        self._room = _ONE_HUNDRED
        self._began = False
        self._last = 10**12
        self._and = False

    def takes(self, word: str) -> bool:
        """Whether the word goes on with it."""
        if (small := _SMALL.get(word)) is not None:
            return self._small(small)
        if word in _HUNDRED and self._began and 0 < self._part < _ONE_HUNDRED:
            self._part, self._room = self._part * _ONE_HUNDRED, _ONE_HUNDRED
            return True
        if word in _LARGE and self._began and self._part and _LARGE[word] < self._last:
            self._total, self._part, self._room = self._total + self._part * _LARGE[word], 0, _ONE_THOUSAND
            self._last = _LARGE[word]
            return True
        if word == "and" and self._began and self._room >= _ONE_HUNDRED and not self._and:
            self._and = self._part % _ONE_HUNDRED == 0 and self._part + self._total > 0
            return self._and
        return False

    def _small(self, small: int) -> bool:
        if self._began and (small >= self._room or small == 0):
            return False
        self._part += small
        self._room = _TEN if small >= _TWENTY else 0
        self._began, self._and = True, False
        return True

    def ended(self) -> Iterator[str]:
        if self._began:
            yield str(self._total + self._part)
        if self._and:
            # It belonged to what follows.
            yield "and"
        self._begin()


def _digits(word: str) -> str | None:
    """A number in digits, an ordinal too ("21st"); None for any other word."""
    bare = word[:-2] if word.endswith(_ORDINAL_ENDINGS) else word
    return bare if bare.isdecimal() and len(bare) <= _MOST_DIGITS else None


def _joined(found: Iterable[str]) -> Iterator[str]:
    """Digits that follow each other as one; of "three point five" too, as "3.5" has lost its point."""
    digits = ""
    point = False
    for word in found:
        if word.isdecimal():
            digits, point = digits + word, False
        elif digits and word == "point" and not point:
            point = True
        else:
            yield from _number_so_far(digits, point=point)
            digits, point = "", False
            yield word
    yield from _number_so_far(digits, point=point)


def _number_so_far(digits: str, *, point: bool) -> Iterator[str]:
    if digits:
        yield digits
    if point:
        yield "point"
