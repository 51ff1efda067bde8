"""A turn that was asked by voice, on the page of its run: one axis from the end of the speech."""

from dataclasses import replace

from runs import MS, START, hearing, misheard, record

from probe.measures import measure_run
from probe.plan import ObjectiveMeasure
from probe.record import RunRecord
from probe.report import stages
from probe.report.html import run_page
from probe.report.html.callouts import sentences
from probe.report.html.waterfall_svg import Picture, picture
from probe.report.stages import TurnStages

NOW = START + 60_000 * MS
END = START - 900 * MS


def of(run: RunRecord) -> TurnStages:
    return stages.of_run(run, measure_run(run))[0]


def drawn(run: RunRecord) -> Picture:
    found = picture(of(run), run.plan.target, 10)
    assert found is not None
    return found


def judged(run: RunRecord, measure: ObjectiveMeasure, objective_ms: float = 1000) -> RunRecord:
    target = replace(run.plan.target, objective_measure=measure, objective_ms=objective_ms)
    return replace(run, plan=replace(run.plan, target=target))


def plain(found: list[stages.Stage]) -> list[tuple[str, float, float]]:
    return [(each.kind, (each.start - END) / MS, (each.end - END) / MS) for each in found]


def test_the_speech_its_end_the_transcript_and_then_the_probe() -> None:
    found = of(hearing())
    assert found.zero == END
    assert plain([*found.hearing]) == [
        ("speaking", -1100, 0), ("endpointing", 0, 500), ("transcribing", 500, 800), ("own", 800, 910),
    ]  # fmt: skip
    # What the listener waits for begins with the end of the speech; what was the probe's own is in no measure of it.
    assert plain([*found.heard])[:3] == [("waiting", 0, 1100), ("own", 1100, 1210), ("silence", 1210, 1310)]


def test_where_the_probe_ends_the_audio_nothing_is_found() -> None:
    found = of(hearing(speech_stopped=None))
    assert plain([*found.hearing])[:2] == [("speaking", -1100, 0), ("transcribing", 0, 800)]


def test_an_end_that_is_never_found_is_waited_for_until_the_run_is_given_up() -> None:
    found = of(misheard())
    assert plain([*found.hearing])[1:] == [("endpointing", 0, 10_000)]
    assert not found.hearing[1].over
    assert plain([*found.heard]) == [("waiting", 0, 10_000)] and not found.heard[0].over


def test_a_speech_that_was_cut_off_ends_where_the_run_was_given_up() -> None:
    cut = misheard()
    (turn,) = cut.turns
    assert turn.heard is not None and cut.failure is not None
    heard = replace(turn.heard, speech_end=None, speech_stopped=START - 1000 * MS)
    cut = replace(
        cut,
        turns=(replace(turn, heard=heard),),
        failure=replace(cut.failure, at=START - 1000 * MS, reason="ended_early"),
    )
    found = of(cut)
    assert plain([*found.hearing]) == [("speaking", -1100, -100)] and not found.heard
    assert drawn(cut).rows[1].name == "Speech"


def test_of_a_minute_of_speech_only_the_end_is_drawn() -> None:
    (place,) = [mark.x for mark in drawn(hearing(speech_start=END - 60_000 * MS)).marks if mark.text == "0"]
    assert 20 < place < 30, "percent of the axis"


def test_a_target_that_does_not_hear_has_no_row_for_it() -> None:
    assert [row.name for row in drawn(record()).rows] == ["Listener", "Connect", "Chunk 1", "Chunk 2"]
    assert [row.summary for row in drawn(hearing()).rows][:2] == ["waits 1200 ms", "STT 500 + 300 ms"]


def test_an_objective_stands_where_what_it_judges_is_over() -> None:
    whole = drawn(judged(hearing(), "voice_to_voice"))
    of_the_answer = drawn(judged(hearing(), "response_ttfb", 100))
    assert whole.objective is not None and of_the_answer.objective is not None
    (zero,) = [mark.x for mark in whole.marks if mark.text == "0"]
    (second,) = [mark.x for mark in whole.marks if mark.text == "1000 ms"]
    assert whole.objective.x == second
    # The request was written 910 ms after the end of the speech.
    assert round((of_the_answer.objective.x - zero) / (second - zero) * 1000) == 1010


def test_the_longest_wait_may_be_that_for_the_end_of_the_speech() -> None:
    run = hearing()
    (longest,) = sentences(run, [of(run)])
    assert longest.startswith("The longest wait was 500 ms, for the STT server to find the end of the speech: 41.7 %")
    assert longest.endswith(" of the 1200 ms from the end of the speech to the first sound.")
    run = hearing(speech_stopped=START - 890 * MS)
    assert sentences(run, [of(run)])[0].startswith(
        "The longest wait was 790 ms, for the STT server's transcript: 65.8 %"
    )
    run = misheard()
    assert sentences(run, [of(run)]) == [
        "The longest wait was 10.0 s, for the STT server to find the end of the speech. Nothing came."
    ]


def test_the_page_has_the_whole_wait_and_what_was_understood() -> None:
    found = run_page.view(judged(hearing(), "voice_to_voice"), NOW)
    assert found.figures[0] == ("Whole wait", "1200 ms", "objective 1000 ms")
    assert (found.turns[0].understood, found.turns[0].errors) == ("Tell me a choke", "word error rate 25 %")
    page = str(run_page.fragment(hearing(), NOW))
    assert "Tell me a choke</span> <span" in page and "word error rate 25 %" in page
    assert "Whole wait" not in str(run_page.fragment(record(), NOW))
    assert run_page.view(misheard(), NOW).turns[0].understood is None
