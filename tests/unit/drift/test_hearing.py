"""Drift of targets that hear: the whole wait is judged, and the stage before the answer is named."""

from dataclasses import replace

import pytest
from series import DAY, HEARING_MS, noisy, spoken, watched

from probe.drift import Monitor, Shift
from probe.drift.state import Kept, decode, encode
from probe.drift.wording import plain, sentence
from probe.waits import HEARING, WAITS, WHOLES, Asked

AT = 2 * DAY + 30


def longer(stage: int, factor: float) -> tuple[float, float]:
    return (factor, 1.0) if stage == 0 else (1.0, factor)


@pytest.mark.parametrize("stage", [0, 1], ids=["endpointing", "transcription"])
def test_a_step_before_the_answer_is_found_and_named(stage: int) -> None:
    steps = spoken(AT + 120, factors=lambda n: longer(stage, 1.15) if n >= AT else (1.0, 1.0))
    monitor, (shift,) = watched(steps)
    assert isinstance(shift, Shift)
    name = HEARING[stage + 1]
    assert (shift.direction, shift.stage) == ("slower", name)
    now = {each.stage: each for each in monitor.verdict().now}
    assert tuple(now) == WAITS["speech"]
    assert now[name].ratio == pytest.approx(1.15, abs=0.03)
    assert now["voice_to_voice"].added_ms == pytest.approx(0.15 * HEARING_MS[stage], rel=0.35)
    assert not any(each.certain for each in now.values() if each.stage not in {name, *WHOLES})


def test_the_sentence_says_what_a_person_waits_for() -> None:
    monitor, (shift,) = watched(spoken(AT + 120, factors=lambda n: (1.0, 1.8) if n >= AT else (1.0, 1.0)))
    said = sentence(monitor.verdict())
    assert said.startswith("voice to voice +1") and ", all of it transcription (+" in said
    values = plain(shift)
    assert values["stage"] == "transcription" and values["transcription_ratio"] == pytest.approx(1.8, abs=0.1)
    assert str(values["what"]).startswith("voice to voice +")
    steady, _ = watched(spoken(AT))
    assert sentence(steady.verdict()).startswith("no drift: voice to voice 1")


def test_a_stage_of_the_answer_is_named_as_ever() -> None:
    slow_speech = spoken(AT + 120, of_answer=lambda n: (1.0, 1.0, 1.5 if n >= AT else 1.0))
    monitor, (shift,) = watched(slow_speech)
    assert isinstance(shift, Shift) and shift.stage == "tts_ttfb"
    assert ", all of it TTS TTFB (+5" in sentence(monitor.verdict())


def test_an_agent_without_a_request_is_judged_too() -> None:
    """Its transcript comes beside the answer: nobody waits for it."""
    monitor, (shift,) = watched(
        spoken(AT + 120, asked="agent_speech", factors=lambda n: (1.2, 3.0) if n >= AT else (1.0, 1.0))
    )
    assert isinstance(shift, Shift) and shift.stage == "endpointing"
    assert [each.stage for each in monitor.verdict().now] == ["voice_to_voice", "endpointing", "tts_ttfb"]


def test_what_a_target_that_does_not_hear_never_took_is_never_looked_at() -> None:
    """The same figures, whatever is beside them: the same detector, to the last bit."""
    runs = [*noisy(AT)]
    without, _ = watched(runs)
    beside, found = watched(replace(each, hearing_ms=(900.0 + 9 * n, 5.0, 5.0)) for n, each in enumerate(runs))
    of = ("spark", "joke")
    assert encode(of, Kept("r", beside, {})) == encode(of, Kept("r", without, {}))
    assert (found, beside.stages) == ([], WAITS["text"])


@pytest.mark.parametrize("asked", ["speech", "agent_speech"])
def test_two_days_of_noise_are_no_change(asked: Asked) -> None:
    assert [found for seed in range(3) for found in watched(spoken(2 * DAY, seed, asked=asked))[1]] == []


def test_ten_busy_runs_of_the_answer_are_no_change() -> None:
    """They make the answer longer by a third, and the whole wait by less than a quarter."""
    busy = spoken(AT + 120, of_answer=lambda n: (1.33, 1.33, 1.33) if AT <= n < AT + 10 else (1.0, 1.0, 1.0))
    assert watched(busy)[1] == []
    _, (shift,) = watched(spoken(AT + 120, of_answer=lambda n: (1.33, 1.33, 1.33) if n >= AT else (1.0, 1.0, 1.0)))
    assert isinstance(shift, Shift) and shift.direction == "slower"


def test_a_target_that_begins_to_hear_begins_a_baseline() -> None:
    """Another wait is judged. Nothing is known of it yet; and back again."""
    monitor, _ = watched(noisy(AT))
    watched(spoken(10), monitor)
    assert (monitor.stages, monitor.verdict().state, monitor.verdict().runs) == (WAITS["speech"], "learning", 10)
    _, found = watched(spoken(200, seed=2), monitor)
    assert (found, monitor.verdict().state) == ([], "stable")
    watched(noisy(5), monitor)
    assert (monitor.stages, monitor.verdict().state) == (WAITS["text"], "learning")


def test_its_state_can_be_kept() -> None:
    of = ("spark", "joke")
    monitor, _ = watched(spoken(AT + 60, factors=lambda n: (1.0, 1.3) if n >= AT else (1.0, 1.0)))
    kept = decode(encode(of, Kept("r", monitor, {})), of).monitor
    assert isinstance(kept, Monitor) and kept.stages == WAITS["speech"]
    assert kept.verdict() == monitor.verdict()


def test_a_sound_before_the_end_of_the_speech_is_no_wait() -> None:
    """Nothing else may fail for it."""
    monitor, _ = watched(replace(each, hearing_ms=(-20.0, 0.0, None)) for each in spoken(70))
    assert (monitor.verdict().state, monitor.verdict().runs) == ("learning", 0)
