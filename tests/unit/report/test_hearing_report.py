"""What a person reads of a run whose target was asked by voice."""

from dataclasses import replace

import click
import pytest
from runs import MS, START, cut_off, hearing, misheard

import golden
from probe.measures import measure_run
from probe.plan import ServerPlan
from probe.record import RunRecord
from probe.report import stages, terminal, timeline
from probe.report.document import document
from probe.report.replay import timeline_events


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", ["hearing", "misheard", "cut_off"])
def test_the_report(name: str, width: int) -> None:
    record = {"hearing": hearing, "misheard": misheard, "cut_off": cut_off}[name]()
    shown = [line for event in timeline_events(record) for line in timeline.lines(event, record.plan, width)]
    shown = [click.unstyle(line) for line in (*shown, *terminal.report(record, width))]
    assert max(map(len, shown)) <= width
    golden.check(f"report_{name}_{width}.txt", "\n".join(shown) + "\n")


def test_the_json_has_its_timestamps_and_measures() -> None:
    (turn,) = document(hearing())["turns"]
    assert turn["voice_to_voice_ms"] == 1200
    assert turn["word_error_rate"] == 0.25
    assert (turn["heard"]["transcript"], turn["heard"]["longest_late_ms"]) == ("Tell me a choke", 1.0)
    assert turn["heard"]["speech_stopped_ts"] - turn["heard"]["speech_end_ts"] == pytest.approx(0.5)


def test_the_json_says_where_a_server_cut_the_speech_off() -> None:
    (turn,) = document(cut_off())["turns"]
    assert turn["heard"]["cut_off"] == {"after_ms": 1240.0, "pause_ms": 800.0, "into_pause_ms": 510.0}
    assert turn["endpointing_ms"] is turn["voice_to_voice_ms"] is None, "and never as a latency"
    (good,) = document(hearing())["turns"]
    assert good["heard"]["cut_off"] is None


def test_a_late_answer_is_late_after_the_speech() -> None:
    heard = hearing()
    target = replace(heard.plan.target, objective_measure="voice_to_voice", objective_ms=1000.0)
    late = replace(heard, plan=replace(heard.plan, target=target))
    said = "SLOW: the first sound of a response came 1200ms after the speech, over the objective of 1000ms"
    assert terminal.verdict(late, "slow") == said


def by_agent(**options: str) -> RunRecord:
    """An agent that says nothing of what it understood."""
    ends = options["endpointing"] == "server"
    end, stopped = (START - 900 * MS, START - 400 * MS) if ends else (START + 10 * MS, None)
    run = hearing(speech_end=end, speech_stopped=stopped, transcript_done=None, transcript="")
    target = replace(run.plan.target, servers={"agent": ServerPlan("openai_realtime", "ws://localhost", options)})
    chunk = replace(run.turns[0].chunks[0], tts_text_sent=None)
    chunk = replace(chunk, inference_start=None) if ends else chunk
    return replace(run, plan=replace(run.plan, target=target), turns=(replace(run.turns[0], chunks=(chunk,)),))


@pytest.mark.parametrize(
    ("options", "kinds", "row"),
    [
        ({"endpointing": "server"}, ["speaking", "endpointing"], "500ms"),
        ({"endpointing": "probe"}, ["speaking"], None),
        (
            {"endpointing": "server", "transcription_model": "small"},
            ["speaking", "endpointing", "transcribing"],
            "500ms",
        ),
        ({"endpointing": "probe", "transcription_model": "small"}, ["speaking", "transcribing"], "nothing"),
    ],
)
def test_a_transcript_that_nobody_asked_for_was_not_waited_for(
    options: dict[str, str], kinds: list[str], row: str | None
) -> None:
    run = by_agent(**options)
    (turn,) = stages.of_run(run, measure_run(run))
    assert [each.kind for each in turn.hearing] == kinds
    drawn = [click.unstyle(line).split()[-1] for line in terminal.report(run, 80) if "STT " in line]
    assert drawn == ([] if row is None else [row])
