"""How things stand now: what the cards say, and which comes first."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from runs import START, chunk, failed, hearing, record, refused, skipped, suspect

from probe.recent import Recent
from probe.record import Outcome, RunRecord
from probe.report.day import SLOT_NS, SLOTS, day
from probe.report.due import due
from probe.report.format import lasting
from probe.report.last_run import last_run
from probe.report.now import Card, document, now
from probe.report.top import screen

S = 10**9
MINUTE = 60 * S
NOW = START + 20 * S


def series(
    target: str, outcomes: Sequence[Outcome] = ("ok",) * 20, last: RunRecord | None = None, age_s: int = 20
) -> Recent:
    starts = [NOW - age_s * S - n * MINUTE for n in range(len(outcomes))]
    runs = [(start, how, 300.0) for start, how in zip(reversed(starts), outcomes, strict=True)]
    made = last or record(target=target, started=starts[0])
    return Recent(target, "default", NOW - 86_400 * S, runs, starts=starts, last=made)


def card(recent: Recent) -> Card:
    (found,) = now([recent], {}, NOW).cards
    return found


def test_a_good_target() -> None:
    found = card(series("spark"))
    assert (found.state, found.tone, found.since) == ("Good", "good", None)
    assert found.headline == "first byte 300 ms, within 1000 ms"
    assert found.last is not None
    assert found.last.stage == "TTS to its first byte takes 67% of it: 200 ms"
    assert (found.day.attempts, found.day.within, found.day.median_ms) == (20, 1.0, 300.0)
    assert found.due.text(NOW) == "next run in 40 s"


def test_the_worst_comes_first() -> None:
    many = [
        series("a"),
        series("b", ("ok",) * 17 + ("failed",) * 3, failed(target="b")),
        series("c", ("ok", "slow") * 10),
        series("d", last=record(ttfb_ms=1500, target="d")),
    ]
    assert [each.target for each in now(many, {}, NOW).cards] == ["b", "c", "d", "a"]


def test_how_long_it_has_been_failing() -> None:
    recent = replace(series("a", ("failed",) * 20, refused()), failing_since=NOW - 12 * MINUTE)
    found = card(recent)
    assert found.headline == "failed: connect at llm, refused; for 12 min"
    assert found.since == NOW - 12 * MINUTE
    assert found.last is not None
    assert found.last.why[1] == "Try: start the server, or correct host and port in its URL"


def test_no_password_is_shown() -> None:
    """The failure's detail holds what the engine wrote; the engine cuts credentials out of that, tests/unit/engine."""
    assert "hunter" not in str(document(now([series("a", last=record())], {}, NOW)))


@pytest.mark.parametrize("made", [skipped(), suspect(), failed(), refused(), record(), record(ttfb_ms=2000)])
def test_no_word_that_was_said_is_in_it(made: RunRecord) -> None:
    shown = str(document(now([series("a", last=made)], {}, NOW)))
    assert [word for word in ("unicorn", "cross the road", "joke", "No slots available") if word in shown] == []


def test_an_overdue_run() -> None:
    """Of one target it is not measured any more when the others still are; of all, nobody measures."""
    stale = series("a", age_s=13 * 3600)
    assert card(stale).headline == "no run for 13 h; one is usual every 60 s"
    alone = now([stale, stale], {}, NOW)
    assert [each.name for each in alone.alerts] == ["VoiceProbeAbsent"]
    with_others = now([stale, series("b")], {}, NOW)
    assert [(each.target, each.state) for each in with_others.cards] == [("b", "Good"), ("a", "Not measured any more")]
    assert with_others.alerts == ()


def test_the_configuration_says_when_a_run_is_due() -> None:
    recent = series("a", age_s=600)
    assert now([recent], {}, NOW).cards[0].state == "No runs any more"
    hourly = {("a", "default"): lambda started: started + 3600 * S}
    found = now([recent], {}, NOW, hourly).cards[0]
    assert (found.state, found.due.text(NOW)) == ("Good", "next run in 50 min")
    assert now([recent], {}, NOW, {}).cards[0].state == "Not measured any more"


def test_a_silence_inside_the_speech_is_noticed() -> None:
    """All came in time, and then the second chunk came late."""
    made = record(target="a")
    first, second = made.turns[0].chunks
    late = chunk(2, (first.tts_segment_done or 0) + 1, 3400)
    stalled = replace(made, turns=(replace(made.turns[0], chunks=(first, late)),))
    found = last_run(stalled)
    assert (found.outcome, found.silence_ms and round(found.silence_ms)) == ("ok", 2421)
    assert last_run(made).silence_ms is None and second.chunk_num == 2
    assert card(series("a", last=stalled)).tone == "warn"


def test_nothing_measured() -> None:
    found = card(series("a", ("skipped",) * 40, skipped()))
    assert (found.state, found.headline, found.day.within, found.day.median_ms) == (
        "Nothing measured", "last run skipped", None, None,
    )  # fmt: skip


def test_of_an_unreadable_run_the_columns_are_shown() -> None:
    found = card(replace(series("a"), last=None))
    assert (found.state, found.headline, found.last) == ("Good", "the last run can't be read", None)


def test_no_history_is_no_card() -> None:
    assert document(now([], {}, NOW)) == {"at": NOW / S, "alerts": [], "targets": []}


def test_slots_of_a_day() -> None:
    """A gap is a gap, and a failure no wait."""
    begin = NOW // SLOT_NS * SLOT_NS
    runs: list[tuple[int, Outcome, float | None]] = [
        (begin - 2 * SLOT_NS, "ok", 100.0), (begin - 2 * SLOT_NS + 1, "slow", 300.0), (begin, "failed", 900.0),
        (begin + 1, "ok", 200.0), (begin - 2 * 86_400 * S, "ok", 1.0),
    ]  # fmt: skip
    found = day(runs, NOW)
    assert len(found.slots) == SLOTS
    third, second, last = found.slots[-3:]
    assert (third.wait_ms, third.slow, second.wait_ms, second.runs) == (200.0, 1, None, 0)
    assert (last.wait_ms, last.failed, last.runs, found.runs) == (200.0, 1, 2, 4)


@pytest.mark.parametrize(
    ("starts", "text"),
    [
        ([], "when the next run is due is not known"),
        ([NOW - 30 * S], "when the next run is due is not known"),
        ([NOW - 30 * S - n * MINUTE for n in range(5)], "next run in 30 s"),
        ([NOW - 70 * S - n * MINUTE for n in range(5)], "next run is due"),
        ([NOW - 720 * S - n * MINUTE for n in range(5)], "no run for 12 min; one is usual every 60 s"),
        # By the hour by day, and nothing at night: a night is usual, and two of them are no accident.
        ([NOW - 10 * 3600 * S - h * 3600 * S for h in (0, 1, 2, 16, 17, 18, 32, 33)], "next run is due"),
        # The clock was set back by an hour.
        ([NOW - 30 * S, NOW + 3600 * S, NOW + 3540 * S, NOW + 3480 * S], "next run in 30 s"),
        # It was set back, and no run came since: those of the future don't say that the next one has time.
        (
            [NOW + 3600 * S, NOW + 3540 * S, *(NOW - 600 * S - n * MINUTE for n in range(5))],
            "no run for 10 min; one is usual every 60 s",
        ),
    ],
)
def test_when_the_next_run_is_due(starts: list[int], text: str) -> None:
    assert due(starts, NOW).text(NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (5940, "99 min"),
        (6100, "2 h"),
        (47 * 3600, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_how_long_in_words(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_an_objective_for_the_whole_wait_is_none_for_the_waits_of_the_day() -> None:
    heard = hearing()
    target = replace(heard.plan.target, objective_measure="voice_to_voice", objective_ms=1000.0)
    found = card(series("spark", last=replace(heard, plan=replace(heard.plan, target=target))))
    assert found.headline == "first sound after the speech 1200 ms, not within 1000 ms"
    assert found.waits_objective_ms is None and found.is_judged_elsewhere
    assert found.last is not None
    assert found.last.stage == "STT to the end of the speech takes 42% of it: 500 ms"
    lines = "\n".join(
        screen(now([series("spark", last=replace(heard, plan=replace(heard.plan, target=target)))], {}, NOW), 120)
    )
    assert "24 h: first byte, median 300ms" in lines
    plain = card(series("spark"))
    assert plain.waits_objective_ms == 1000 and not plain.is_judged_elsewhere
