"""What a server understood is cut where it comes in."""

from collections.abc import Iterable

import pytest

from probe.plan import Limits, Role, ServerPlan, Target
from probe.protocols.base import Refused, Terms, Transcript, Unknown
from probe.protocols.hearing import MAX_EVENTS, MAX_TRANSCRIPT, understood
from probe.protocols.openai_realtime.listening import Listening
from probe.protocols.openai_transcriptions.answer import Document, Stream
from probe.protocols.registry import hearing, says_end
from probe.protocols.wyoming import hearing as wyoming
from probe.transport.framing.base import Raw

LONG = " \n" * MAX_TRANSCRIPT + "x" * (MAX_TRANSCRIPT + 1)
CUT = "x" * MAX_TRANSCRIPT + "…"


@pytest.mark.parametrize(
    ("text", "kept"),
    [(" Hello\n", "Hello"), (LONG, CUT), ("half \ud83d a character", "half \ufffd a character"), ("", "")],
)
def test_a_transcript_is_kept_without_what_nobody_reads(text: str, kept: str) -> None:
    assert understood(text) == Transcript(kept)


def test_every_protocol_cuts_it() -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    assert [*Listening().take(kind, {"transcript": LONG}, b"")] == [Transcript(CUT)]
    document = Document(is_json=False)
    assert list(document.feed(LONG.encode())) and [*document.end()] == [Transcript(CUT)]


def test_a_character_in_two_pieces_is_whole_and_pieces_of_nothing_are_not_kept() -> None:
    stream = Stream()
    for piece in ("\\ud83d", "", "\\ude00", ""):
        assert [*stream.feed(f'data: {{"type": "transcript.text.delta", "delta": "{piece}"}}\n\n'.encode())]
    assert [*stream.end()] == [Transcript("\N{GRINNING FACE}")]
    assert len(stream._pieces) == 2


@pytest.mark.parametrize(
    ("role", "protocol", "endpointing", "says"),
    [
        ("stt", "wyoming", "server", True),
        ("stt", "wyoming", "probe", False),
        ("stt", "riva", "server", False),
        ("agent", "openai_realtime", "server", True),
        ("agent", "openai_realtime", "probe", False),
    ],
)
def test_who_has_an_event_for_the_end_of_the_speech(role: Role, protocol: str, endpointing: str, says: bool) -> None:
    server = ServerPlan(protocol, "x://spark", {"endpointing": endpointing, "sample_rate": 16_000})
    target = Target("spark", {role: server}, 1000.0, Limits(1, 1, 1, 1, 1))
    assert says_end(target) is says
    assert hearing(target) == endpointing


def test_what_is_sent_besides_a_transcript_is_bounded() -> None:
    listener, stream = Listening(), Stream()
    delta = "conversation.item.input_audio_transcription.delta"
    for _ in range(MAX_EVENTS):
        assert [*listener.take(delta, {}, b"")] == [Unknown()]
    for _ in range(MAX_EVENTS):
        assert [*stream.feed(b'data: {"type": "x"}\n\n')] == [Unknown()]
    assert reasons(listener.take(delta, {}, b"")) == reasons(stream.feed(b'data: {"type": "x"}\n\n')) == ["flood"]
    server = ServerPlan("wyoming", "tcp://stt:10300", {"sample_rate": 16_000, "endpointing": "probe"})
    talk = wyoming.WyomingHearing(Terms(server, "run", 5.0))
    for _ in range(2):
        assert list(talk.begin(0)), "each turn has a connection of its own"
        audio = b'{"type": "audio-chunk", "payload_length": 1000000}\n' + bytes(1_000_000)
        assert [*talk.received(Raw(audio), 0)] == [*talk.received(Raw(audio), 0)] == [Unknown()]
    assert reasons(talk.received(Raw(audio), 0)) == ["flood"]


def reasons(steps: Iterable[object]) -> list[str]:
    return [each.reason for each in steps if isinstance(each, Refused)]
