"""Word error rates, by hand."""

import pytest

from probe import words

SAID = "I'd like a table for two, please."


@pytest.mark.parametrize(
    ("understood", "rate"),
    [
        (" i\N{RIGHT SINGLE QUOTATION MARK}d LIKE a table for two please", 0.0),
        ("I'd like a cable for two, please.", 1 / 7),
        ("I'd like a table for, please", 1 / 7),
        ("well I'd like a table for two more please", 2 / 7),
        ("", 1.0),
        ("no " * 20, 20 / 7),
    ],
)
def test_words_that_are_wrong_missing_or_added_count(understood: str, rate: float) -> None:
    assert words.error_rate(SAID, understood) == pytest.approx(rate)


def test_without_a_word_there_is_no_rate() -> None:
    assert words.error_rate("", "hello") is None
    assert words.error_rate("...", "hello") is None


def test_other_scripts_have_words_too() -> None:
    assert words.error_rate("¿Qué hora es?", "que hora es") == pytest.approx(1 / 3)
    assert words.error_rate("हिन्दी में", "हिन्दी में।") == 0


def test_a_beginning_is_not_all() -> None:
    assert words.is_beginning(words.words(SAID), words.words("I'd like a"))
    assert not words.is_beginning(words.words(SAID), words.words(SAID))
    assert not words.is_beginning(words.words(SAID), words.words("like a"))
    assert not words.is_beginning(words.words(SAID), words.words(""))


def test_nothing_in_common() -> None:
    assert words.has_nothing_of(words.words(SAID), words.words("Ich hätte gern einen Tisch"))
    assert not words.has_nothing_of(words.words(SAID), words.words("two"))
    assert not words.has_nothing_of(words.words(""), words.words("two"))


def test_the_work_is_bounded() -> None:
    assert words.error_rate("a " * 10**6, "b " * 10**6) == 1
