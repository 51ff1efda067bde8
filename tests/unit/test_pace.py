"""A target's usual pace, and the run that is far from it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from runs import PLAN, record

from probe.pace import FACTOR, KEPT, LEAST_LETTERS, WANTED, Pace, of_run
from probe.record import Failure, RunRecord

TEXT = "a" * LEAST_LETTERS


def spoken(ms_a_letter: float, text: str = TEXT, **changes: object) -> RunRecord:
    """A run of one chunk, whose voice is so slow."""
    run = record()
    (turn, *_) = run.turns
    (chunk, *_) = turn.chunks
    assert chunk.sound is not None
    sound = replace(chunk.sound, loud_ms=ms_a_letter * len(text))
    chunk = replace(chunk, text=text, segment_end="marker", sound=sound)
    return replace(run, turns=(replace(turn, chunks=(chunk,)),), doubts=(), **changes)  # type: ignore[arg-type]


def learnt(pace: float = 60.0) -> Pace:
    found = Pace()
    for number in range(WANTED):
        assert found.judge(spoken(pace * (0.95 + 0.01 * number))).doubts == ()
    return found


def test_the_usual_pace_is_no_doubt() -> None:
    pace = learnt()
    for each in (45.0, 60.0, 80.0):
        assert pace.judge(spoken(each)).doubts == ()


@pytest.mark.parametrize("factor", [48_000 / 22_050, 2.0, 0.5, 0.46])
def test_samples_of_another_rate_or_of_two_channels_stand_out(factor: float) -> None:
    (doubt,) = learnt().judge(spoken(60.0 * factor)).doubts
    assert doubt == f"its speech lasts {60 * factor:.0f} ms per letter, and 60 ms in the runs before"


def test_so_far_away_and_no_further() -> None:
    assert learnt().judge(spoken(60.0 * FACTOR * 0.97)).doubts == ()
    assert learnt().judge(spoken(60.0 * FACTOR * 1.03)).doubts != ()


def test_nothing_stands_out_before_anything_was_learnt() -> None:
    pace = Pace()
    assert all(pace.judge(spoken(each)).doubts == () for each in (60.0, 120.0, 30.0))


def test_what_goes_on_is_usual_in_the_end() -> None:
    pace = learnt()
    doubtful = [bool(pace.judge(spoken(130.0)).doubts) for _ in range(KEPT)]
    assert doubtful[0] and not doubtful[-1]


def test_another_doubt_stays() -> None:
    run = replace(spoken(200.0), doubts=("another",))
    assert learnt().judge(run).doubts[0] == "another"


def test_another_voice_has_another_pace() -> None:
    pace, run = learnt(), spoken(200.0)
    target = run.plan.target
    servers = {**target.servers, "tts": replace(target.servers["tts"], options={"voice": "another"})}
    assert pace.judge(replace(run, plan=replace(PLAN, target=replace(target, servers=servers)))).doubts == ()


def test_the_past_teaches_it() -> None:
    pace, run = Pace(), spoken(130.0)
    assert not pace.knows(run)
    pace.learn(run, [spoken(60.0) for _ in range(WANTED)])
    assert pace.knows(run)
    assert len(pace.judge(run).doubts) == 1


def unmeasured() -> Iterator[RunRecord]:
    yield spoken(60.0, text="short")
    yield spoken(0.0)
    yield spoken(60.0, failure=Failure("tts", "closed", "it closed", 1))
    yield spoken(60.0, skipped="busy")
    yield replace(spoken(60.0), turns=())


@pytest.mark.parametrize("run", [*unmeasured()])
def test_what_has_no_pace_is_not_judged(run: RunRecord) -> None:
    assert of_run(run) is None
    assert learnt().judge(run) is run
