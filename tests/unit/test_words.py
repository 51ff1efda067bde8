"""Word error rates, by hand."""

import pytest

from probe import words
from probe.spoken_words import error_rate

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
    assert error_rate(SAID, understood) == pytest.approx(rate)


def test_without_a_word_there_is_no_rate() -> None:
    assert error_rate("", "hello") is None
    assert error_rate("...", "hello") is None


def test_other_scripts_have_words_too() -> None:
    assert error_rate("¿Qué hora es?", "que hora es") == pytest.approx(1 / 3)
    assert error_rate("हिन्दी में", "हिन्दी में।") == 0


def test_a_vowel_sign_belongs_to_its_word() -> None:
    assert words.words("हिन्दी में कितने") == ["हिन्दी", "में", "कितने"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("今天。天气", ["今", "天", "天", "气"]),
        ("iPhone手机 12部", ["iphone", "手", "机", "12", "部"]),
        ("ｶﾀｶﾅ・々", ["カ", "タ", "カ", "ナ", "々"]),
        ("ไทย ๒๕", ["ไ", "ท", "ย", "๒๕"]),
        ("한국어 문장", ["한국어", "문장"]),
    ],
)
def test_in_a_script_without_spaces_each_character_is_a_word(text: str, found: list[str]) -> None:
    assert words.words(text) == found


def test_how_many_parts_a_word_has() -> None:
    assert {words.parts_of_a_word(each) for each in ("table", "๒๕", "한국어")} == {1}
    assert {words.parts_of_a_word(each) for each in ("ไ", "ຂ", "မ", "ខ")} == {4}
    assert {words.parts_of_a_word(each) for each in ("今", "々", "カ")} == {2}


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
    assert error_rate("a " * 10**6, "b " * 10**6) == 1
