"""A text and what a recogniser wrote down of it, compared as they are spoken."""

import pytest

from probe import words
from probe.spoken_words import compared, spoken_words


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It's 21 °C, 5% and $5.", "its twenty-one degrees c, five percent and five dollars"),
        ("1,000 people in 1984", "one thousand people in nineteen eighty four"),
        ("205,000 on the 21st", "two hundred and five thousand on the twenty-first"),
        ("Call 555 1234", "call five five five one two three four"),
        ("3.5 metres", "three point five metres"),
        ("Agent 007", "agent zero zero seven"),
        ("1200005", "one million two hundred thousand and five"),
        ("$3 million", "three million dollars"),
        ("3.5 million", "three point five million"),
        ("5 hundred of 20 thousand", "five hundred of twenty thousand"),
        ("100 of 1,000", "a hundred of a thousand"),
        ("<speak>Fish <break time='1s'/>& chips</speak>", "fish and chips"),
        ("**Hello**, WORLD!", "hello world"),
        ("a < b", "a b"),
    ],
)
def test_both_are_the_same_words(text: str, spoken: str) -> None:
    found = [each.replace("'", "") for each in spoken_words(text)]
    assert found == spoken_words(spoken)
    assert compared(text.replace("'", ""), spoken) == (len(found), 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("one and two", ["1", "and", "2"]),
        ("hundreds of a few millions, a", ["hundreds", "of", "a", "few", "millions", "a"]),
        ("hundred million", ["hundred", "million"]),
        ("get to the point 5 times", ["get", "to", "the", "point", "5", "times"]),
        ("version 2 point", ["version", "2", "point"]),
        ("dollars and sense", ["dollars", "and", "sense"]),
        ("seven dollars", ["7", "dollars"]),
        ("", []),
    ],
)
def test_what_is_no_number_stays(text: str, found: list[str]) -> None:
    assert spoken_words(text) == found


def test_an_error_is_a_word_that_is_wrong_missing_or_added() -> None:
    said = "Why did the unicorn cross the road?"
    assert compared(said, "why did the unicorn cross the road") == (7, 0)
    assert compared(said, "why did the popcorn cross a the road") == (7, 2)
    assert compared(said, "") == (7, 7)
    assert compared("...", "well") == (0, 1)


def test_long_texts_are_bounded() -> None:
    assert compared("word " * 10**6, "other " * 10**6) == (words.MAX_WORDS, words.MAX_WORDS)
