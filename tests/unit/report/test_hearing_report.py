"""What a person reads of a run whose target was asked by voice."""

import click
import pytest
from runs import hearing, misheard

import golden
from probe.report import terminal, timeline
from probe.report.document import document
from probe.report.replay import timeline_events


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", ["hearing", "misheard"])
def test_the_report(name: str, width: int) -> None:
    record = hearing() if name == "hearing" else misheard()
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
