"""Pauses that are written into what a person says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.config import ConfigError, ScenarioConfig, load
from probe.spoken import Part, checked, has_pauses, parts, without_pauses

TABLE = "I'd like [pause 800ms] a table [pause 1200ms] for two."


def test_the_words_and_the_pauses_between_them() -> None:
    assert checked(TABLE) == TABLE
    assert parts(TABLE) == [Part("I'd like"), Part("a table", 800), Part("for two.", 1200)]
    assert without_pauses(TABLE) == "I'd like a table for two."
    assert has_pauses(TABLE)


@pytest.mark.parametrize("text", ["A table (for two) [or three].", "  a  ", "pause 800ms", "[pauses are fine]x"[:1]])
def test_a_text_without_a_pause_is_as_it_is(text: str) -> None:
    assert without_pauses(checked(text)) == text
    assert not has_pauses(text)


@pytest.mark.parametrize(
    "text",
    [
        "a [pause] b", "a [pause 800] b", "a [Pause 800ms] b", "a [pause 0.8s] b", "a [ pause 800ms] b",
        "a [pause 800 ms] b", "a [pause 20ms] b", "a [pause 20000ms] b", "a [pause 800ms b", "a [pause \u0668ms] b",
        " ".join(["a [pause 100ms]"] * 21) + " b",
    ],
)  # fmt: skip
def test_what_is_nearly_a_pause_is_an_error_that_says_how_one_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"is written \[pause 800ms\], with 50 to 10000 ms, at most 20 in a turn"):
        checked(text)


@pytest.mark.parametrize(
    "text", ["[pause 800ms] a", "a [pause 800ms]", "a [pause 800ms] [pause 800ms] b", "a [pause 800ms]."]
)
def test_a_pause_stands_between_words(text: str) -> None:
    with pytest.raises(ValueError, match="stands between words"):
        checked(text)


@given(st.text(max_size=60), st.integers(50, 10_000))
def test_any_words_are_found_again(words: str, pause: int) -> None:
    if "[" in words:
        return
    assert parts(f"{words} [pause {pause}ms] so") == [Part(words.strip()), Part("so", pause)]


def test_a_configuration_with_a_wrong_one_names_the_turn(tmp_path: Path) -> None:
    file = tmp_path / "probe.toml"
    file.write_text('[scenarios.table]\nuser_turns = ["Hello.", "A table [pause 1s] for two"]\n')
    with pytest.raises(ConfigError, match=r"scenarios\.table\.user_turns\.1.*: a pause is written \[pause 800ms\]"):
        load(file)


def test_a_recording_has_its_own_pauses() -> None:
    with pytest.raises(ConfigError, match="a recording has its own pauses"):
        ScenarioConfig.of(user_turns=[TABLE], user_audio=["a.wav"])
