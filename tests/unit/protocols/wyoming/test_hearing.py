"""What a Wyoming server that hears is sent, and what it says."""

import json
from typing import Any

import pytest

from probe.plan import ServerPlan
from probe.protocols.base import (
    Connect,
    Drop,
    Malformed,
    Refused,
    Send,
    SpeechStopped,
    Step,
    Terms,
    Transcript,
    Unknown,
)
from probe.protocols.wyoming.hearing import WyomingHearing
from probe.protocols.wyoming.options import WyomingHearingOptions
from probe.transport.framing.base import Ended, Raw


def conversation(**options: Any) -> WyomingHearing:
    given = {name: getattr(WyomingHearingOptions(**options), name) for name in WyomingHearingOptions.__struct_fields__}
    known = {name: value for name, value in given.items() if value is not None}
    return WyomingHearing(Terms(ServerPlan("wyoming", "tcp://localhost:10300", known), "run", 1.0))


def sent(steps: Any) -> list[tuple[str, dict[str, Any], bytes]]:
    """The events of what is sent: type, data and payload."""
    found, data = (
        [],
        b"".join(step.frame.data for step in steps if isinstance(step, Send) and isinstance(step.frame, Raw)),
    )
    while data:
        line, _, data = data.partition(b"\n")
        head = json.loads(line)
        size, payload = head.get("data_length", 0), head.get("payload_length", 0)
        found.append((head["type"], json.loads(data[:size] or b"{}"), data[size : size + payload]))
        data = data[size + payload :]
    return found


def said(talk: WyomingHearing, data: bytes) -> list[Step]:
    return [*talk.received(Raw(data), 0)]


def test_a_turn_is_a_transcription_of_its_own() -> None:
    talk = conversation(model="base", language="en")
    begun = [*talk.begin(0)]
    form = {"rate": 16_000, "width": 2, "channels": 1}
    assert isinstance(begun[0], Connect)
    assert sent(begun) == [("transcribe", {"name": "base", "language": "en"}, b""), ("audio-start", form, b"")]
    assert sent(talk.hear(b"\1\0\2\0", 0)) == [("audio-chunk", form, b"\1\0\2\0")]
    assert sent(talk.end(0)) == [("audio-stop", {}, b"")]
    answer = b'{"type": "transcript", "data_length": 18}\n{"text": " Hello"}'
    assert said(talk, answer) == [Transcript("Hello"), Drop()]
    assert sent([*conversation().begin(0)])[0] == ("transcribe", {}, b"")


def test_only_a_server_that_is_asked_to_finds_the_end() -> None:
    stopped = b'{"type": "voice-stopped", "data": {"timestamp": 1}}\n'
    assert said(conversation(endpointing="server"), stopped) == [SpeechStopped()]
    assert said(conversation(), stopped) == [Unknown()]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type": "transcript", "data": {"text": 7}}\n', Malformed),
        (b'{"type": "transcript"}\n', Malformed),
        (b"hello\n", Malformed),
        (b'{"type": "error", "data": {"text": "no such voice"}}\n', Refused),
        (b'{"type": "transcript", "data_length": 10000000}\n', Refused),
    ],
)
def test_what_is_no_transcript(data: bytes, kind: type) -> None:
    (step,) = said(conversation(), data)
    assert isinstance(step, kind)
    if isinstance(step, Refused):
        assert step.reason in ("server_error", "flood")


def test_the_end_of_the_connection_says_nothing_by_itself() -> None:
    assert [*conversation().received(Ended("closed", "by the server"), 0)] == []


def test_bytes_may_come_in_any_slices() -> None:
    data = b'{"type": "transcript-start"}\n{"type": "transcript", "data_length": 18}\n{"text": " Hello"}'
    for at in range(1, len(data)):
        talk = conversation()
        steps = said(talk, data[:at]) + said(talk, data[at:])
        assert [each for each in steps if not isinstance(each, Unknown)] == [Transcript("Hello"), Drop()]
