"""What a person waits for, by how a target is asked."""

from dataclasses import replace
from typing import Any

import pytest
from runs import hearing, misheard, record

from probe.config import TargetConfig
from probe.drift.series import point
from probe.drift.wording import NAMES
from probe.measures import STAGES
from probe.plan import Target
from probe.protocols.registry import hearing as finds_end
from probe.waits import ASKED, EVERY_STAGE, WAITS, WHOLES, Asked, asked

AGENT = {"url": "ws://spark:8765/v1/realtime"}


def target(**tables: Any) -> Target:
    return TargetConfig.of(**tables).record("any")


def pair(**stt: Any) -> Target:
    servers: dict[str, Any] = {"llm": {"url": "http://h:1/v1"}, "tts": {"url": "http://h:2/v1"}}
    return target(**servers, **({"stt": stt} if stt else {}))


@pytest.mark.parametrize(
    ("of", "how"),
    [
        (pair(), "text"),
        (pair(url="tcp://h:3"), "speech"),
        (pair(url="tcp://h:3", endpointing="server"), "speech"),
        (target(agent=AGENT), "text"),
        (target(agent=AGENT | {"endpointing": "server"}, objective_measure="voice_to_voice"), "agent_speech"),
        (target(agent=AGENT | {"endpointing": "probe"}), "agent_speech"),
    ],
)
def test_how_a_target_is_asked(of: Target, how: Asked) -> None:
    assert asked(of) == how
    assert (finds_end(of) is not None) == (how != "text"), "the protocol and the record's reader disagree"


def test_each_wait_is_a_whole_and_its_stages() -> None:
    assert {*WAITS} == {*ASKED}
    assert {*EVERY_STAGE} == {stage for stages in WAITS.values() for stage in stages} == {*NAMES}
    for stages in WAITS.values():
        assert [stage for stage in stages if stage in WHOLES] == [stages[0]]
    assert WAITS["text"] == STAGES


def test_the_wait_of_a_run() -> None:
    assert point(record()).wait_ms() == {"combined_ttfb": 300, "llm_ttft": 50, "llm_decode": 50, "tts_ttfb": 200}
    spoken = point(hearing())
    assert spoken.wait_ms() == {
        "voice_to_voice": 1200, "endpointing": 500, "transcription": 300, "llm_ttft": 50, "llm_decode": 50,
        "tts_ttfb": 200,
    }  # fmt: skip
    assert (spoken.asked, spoken.ms("combined_ttfb"), spoken.ms("transcription")) == ("speech", 300, 300)


def test_a_run_without_an_answer_is_asked_as_the_others_are() -> None:
    """Else a failure would begin another baseline."""
    of = misheard()
    assert (point(of).asked, {*point(of).wait_ms().values()}) == ("speech", {None})
    assert point(replace(of, turns=())).asked == "speech"
