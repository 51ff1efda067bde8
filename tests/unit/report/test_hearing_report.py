"""What a person reads of a run whose target was asked by voice."""

from dataclasses import replace

import click
import pytest
from runs import MS, START, cut_off, hearing, misheard

import golden
from probe.heard import Interruption
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


def test_an_answer_that_nobody_could_speak_into_is_said_to_be_one() -> None:
    run = hearing()
    assert "Interrupted" not in "\n".join(terminal.report(run, 80)), "nobody wanted to"
    wanted = replace(run, plan=replace(run.plan, scenario=replace(run.plan.scenario, interrupt_after_ms=500.0)))
    assert "    Interrupted:        not, the whole answer had come before" in map(
        click.unstyle, terminal.report(wanted, 80)
    )
    (turn,) = wanted.turns
    cut = tuple(replace(chunk, tts_segment_done=None) for chunk in turn.chunks)
    spoken_into = replace(turn, chunks=cut, interruption=Interruption(START + 700 * MS, START + 950 * MS, stopped=True))
    shown = [*map(click.unstyle, terminal.report(replace(wanted, turns=(spoken_into,)), 80))]
    assert "    Interrupted:        250ms" in shown


def test_each_turn_of_several_has_its_own_whole_wait() -> None:
    run = hearing()
    again = replace(run.turns[0], turn_num=2)
    scenario = replace(run.plan.scenario, user_turns=("Tell me a joke", "Tell me a joke"))
    shown = [
        *map(
            click.unstyle,
            terminal.report(replace(run, plan=replace(run.plan, scenario=scenario), turns=(run.turns[0], again)), 80),
        )
    ]
    assert [line for line in shown if "whole wait" in line] == [
        "  The whole wait, turn 1:",
        "  The whole wait, turn 2:",
    ]


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
