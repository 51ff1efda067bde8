"""A turn with a Wyoming server: the requests, the events of the answers, and its questions."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from framings import cut_in_two, mutated
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import ServerPlan
from probe.protocols.base import (
    Audio,
    AudioFormat,
    Connect,
    Done,
    Drop,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    Send,
    Step,
    Terms,
    Unknown,
)
from probe.protocols.fields import REPORTED
from probe.protocols.wyoming import PROTOCOL
from probe.protocols.wyoming.conversation import WyomingConversation
from probe.protocols.wyoming.events import (
    MAX_DATA_BYTES,
    MAX_LINE_BYTES,
    MAX_PAYLOAD_BYTES,
    Events,
    Heard,
    written,
)
from probe.record import REASONS, ServerIdentity
from probe.reference.faults import wyoming as server
from probe.transport.framing.base import Ended, Raw

TEXT = "Grüß dich."
CLOSED = Ended("closed", "by the server")
PCM = bytes(range(200)) * 10
# As wyoming-piper 2.5.2 writes it: data behind the line, the format in each chunk; and the `audio-stop` without data.
TRANSCRIPT = (
    b'{"type": "audio-start", "version": "1.10.0", "data_length": 43}\n{"rate": 22050, "width": 2, "channels": 1} '
    b'{"type": "audio-chunk", "version": "1.10.0", "data_length": 42, "payload_length": 4}\n'
    b'{"rate": 22050, "width": 2, "channels": 1}\x01\x02\x03\x04'
    b'{"type": "audio-chunk", "version": "1.10.0", "data_length": 42, "payload_length": 2}\n'
    b'{"rate": 22050, "width": 2, "channels": 1}\n\x06'
    b'{"type": "audio-stop", "version": "1.10.0"}\n'
)
SAID = [AudioFormat(22050), Audio(b"\x01\x02\x03\x04"), Audio(b"\n\x06"), SegmentEnd(), Drop()]
STREAMED = {"mode": "streamed"}


def conversation(**options: Any) -> WyomingConversation:
    talk = WyomingConversation(Terms(ServerPlan("wyoming", "tcp://spark:10200", options), "run", 10.0))
    assert [*talk.open(0)] == [Connect(), Ready()]
    return talk


def asked(talk: WyomingConversation, text: str = TEXT) -> tuple[list[Step], list[Heard]]:
    """The steps of asking, and the events at their end."""
    *steps, last = talk.speak(text, 1)
    assert isinstance(last, Send) and isinstance(last.frame, Raw)
    events = [each for each in Events().feed(last.frame.data) if isinstance(each, Heard)]
    return steps, events


def heard(talk: WyomingConversation, pieces: Iterable[bytes]) -> list[Step]:
    """The resulting events, without `Unknown`, up to the one that ends the run."""
    found: list[Step] = []
    for piece in pieces:
        found += [each for each in talk.received(Raw(piece), 2) if not isinstance(each, Unknown)]
        if any(isinstance(each, Refused | Malformed) for each in found):
            break
    return found


def answered(data: bytes, text: str = TEXT, **options: Any) -> list[Step]:
    talk = conversation(**options)
    asked(talk, text)
    return heard(talk, [data])


def joined(*events: server.Event) -> bytes:
    return b"".join(each.written() for each in events)


# What is asked


def test_a_text_is_asked_for_as_a_whole() -> None:
    assert asked(conversation()) == ([Connect()], [Heard("synthesize", {"text": TEXT})])


def test_who_speaks_is_in_the_request() -> None:
    _, (event,) = asked(conversation(voice="aria", language="en_US", speaker="2"))
    assert event.data["voice"] == {"name": "aria", "language": "en_US", "speaker": "2"}


def streaming(**options: Any) -> WyomingConversation:
    """One whose server has said that it takes streams."""
    talk = WyomingConversation(Terms(ServerPlan("wyoming", "tcp://spark:10200", {**STREAMED, **options}), "run", 10.0))
    assert [*talk.open(0)] == [Connect(), Send(Raw(written("describe")))]
    assert heard(talk, [joined(server.Event("pong"), server.Event("info", server.INFO))]) == [
        Drop(),
        Connect(),
        Ready(),
    ]
    return talk


def sent(steps: Iterable[Step]) -> list[Heard]:
    """The events that are written."""
    data = b"".join(each.frame.data for each in steps if isinstance(each, Send) and isinstance(each.frame, Raw))
    return [each for each in Events().feed(data) if isinstance(each, Heard)]


def test_an_answer_goes_as_it_is_written_where_the_server_is_to_cut_it() -> None:
    talk = streaming(voice="aria")
    assert PROTOCOL.takes_pieces(ServerPlan("wyoming", "tcp://spark:10200", STREAMED))
    assert not PROTOCOL.takes_pieces(PLAN)
    began = [*talk.add("Hel", 1)]
    assert began[0] == Connect()
    assert sent(began) == [
        Heard("synthesize-start", {"voice": {"name": "aria"}}),
        Heard("synthesize-chunk", {"text": "Hel"}),
    ]
    assert sent(talk.add("lo.", 2)) == [Heard("synthesize-chunk", {"text": "lo."})]
    assert sent(talk.close(3)) == [Heard("synthesize-stop", {})]


def test_a_server_is_asked_once_whether_it_takes_streams() -> None:
    talk = streaming()
    assert [*talk.open(4)] == [Connect(), Ready()]


@pytest.mark.parametrize(
    ("info", "takes"),
    [
        ({"tts": [{"supports_synthesize_streaming": False}, {"supports_synthesize_streaming": True}]}, True),
        ({"tts": [{"supports_synthesize_streaming": True, "installed": False}]}, False),
        ({"tts": [{"supports_synthesize_streaming": "yes"}]}, False),
        ({"tts": [{}]}, False),
        ({}, False),
    ],
)
def test_streams_are_taken_by_who_says_so(info: dict[str, Any], takes: bool) -> None:
    talk = WyomingConversation(Terms(ServerPlan("wyoming", "tcp://spark:10200", STREAMED), "run", 10.0))
    assert next(iter(talk.open(0))) == Connect()
    steps = heard(talk, [joined(server.Event("info", info))])
    assert (steps[-1] == Ready()) is takes
    if not takes:
        (refused,) = steps
        assert isinstance(refused, Refused) and refused.reason == "no_stream"
        assert 'set mode = "whole"' in refused.message


def test_a_server_that_ends_instead_of_describing_itself_is_no_server_of_streams() -> None:
    talk = WyomingConversation(Terms(ServerPlan("wyoming", "tcp://spark:10200", STREAMED), "run", 10.0))
    list(talk.open(0))
    (refused,) = talk.received(CLOSED, 1)
    assert isinstance(refused, Refused) and refused.reason == "no_stream"


def test_what_was_on_its_way_to_a_connection_that_was_ending_is_sent_again_whole() -> None:
    talk = streaming()
    list(talk.add("Hel", 1))
    list(talk.add("lo.", 2))
    again = [*talk.received(CLOSED, 3)]
    assert [each.data.get("text") for each in sent(again)] == [None, "Hello."]
    talk = streaming()
    list(talk.add("Hello.", 1))
    list(talk.close(2))
    assert [each.type for each in sent(talk.received(CLOSED, 3))][-1] == "synthesize-stop"


def test_an_end_before_the_text_is_complete_is_one_too_early() -> None:
    talk = streaming()
    list(talk.add("Hello there. I", 1))
    stretch = joined(server.start(), server.chunk(PCM), server.STOP, server.STOPPED)
    *_, refused = heard(talk, [stretch])
    assert isinstance(refused, Refused) and refused.reason == "ended_early"


def test_an_event_is_written_as_the_library_of_the_protocol_writes_it() -> None:
    line, _, behind = written("synthesize", {"text": "ü"}).partition(b"\n")
    assert json.loads(line) == {"type": "synthesize", "version": "1.10.0", "data_length": len(behind)}
    assert json.loads(behind) == {"text": "ü"}
    assert written("describe") == b'{"type": "describe", "version": "1.10.0"}\n'


# What is answered


def test_an_answer_says_the_same_wherever_it_is_cut() -> None:
    assert answered(TRANSCRIPT) == SAID
    for pieces in [*cut_in_two(TRANSCRIPT), [TRANSCRIPT[at : at + 1] for at in range(len(TRANSCRIPT))]]:
        talk = conversation()
        asked(talk)
        assert heard(talk, pieces) == SAID


def test_each_text_has_a_connection_of_its_own() -> None:
    talk = conversation()
    for _ in range(2):
        assert asked(talk)[0] == [Connect()]
        assert heard(talk, [TRANSCRIPT + TRANSCRIPT])[-2:] == [SegmentEnd(), Drop()]
    assert [*talk.close(3)] == [Done()]
    assert [*talk.open(4)] == [Connect(), Ready()]


def test_the_last_text_ends_the_turn() -> None:
    talk = conversation()
    asked(talk)
    assert [*talk.close(2)] == []
    assert heard(talk, [TRANSCRIPT])[-3:] == [SegmentEnd(), Drop(), Done()]


def test_a_streamed_answer_may_come_in_several_stretches() -> None:
    stretch = joined(server.start(), server.chunk(PCM), server.STOP)
    talk = streaming()
    list(talk.add(TEXT, 1))
    assert heard(talk, [stretch]) == [AudioFormat(22050), Audio(PCM)], "while the LLM goes on"
    list(talk.close(2))
    assert heard(talk, [stretch + joined(server.STOPPED)]) == [
        Audio(PCM), SegmentEnd(), Drop(), Done(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "steps"),
    [
        (joined(server.chunk(PCM, rate=16000), server.STOP), [AudioFormat(16000), Audio(PCM), SegmentEnd(), Drop()]),
        (joined(server.Event("audio-start", {"rate": 8000, "width": 2, "channels": 1}, inline=True),
                server.Event("audio-chunk", {}, PCM), server.STOP),
         [AudioFormat(8000), Audio(PCM), SegmentEnd(), Drop()]),
        (joined(server.start(), server.chunk(PCM[:3]), server.chunk(PCM[3:7]), server.STOP),
         [AudioFormat(22050), Audio(PCM[:2]), Audio(PCM[2:6]), Audio(PCM[6:7]), SegmentEnd(), Drop()]),
        (joined(server.start(), server.STOP),
         [AudioFormat(22050), Refused("audio-stop and no audio for a text", reason="no_audio")]),
        (joined(server.start(channels=2)),
         [Refused("16-bit PCM, 2 channel(s) at 22050 Hz instead of 16-bit mono PCM", reason="wrong_format")]),
        (joined(server.Event("audio-start", {"rate": "x"}), server.chunk(PCM, width=4)),
         [Refused("audio whose format is not stated instead of 16-bit mono PCM", reason="wrong_format")]),
        (joined(server.start(), server.chunk(PCM, rate=44100)),
         [AudioFormat(22050), Refused(
             "audio that goes from 22050 to 44100 Hz in one text instead of 16-bit mono PCM", reason="wrong_format")]),
        (joined(server.error("no such\nVoice")), [Refused(REPORTED, "no such Voice", reason="unknown_voice")]),
        (joined(server.error("nobody", "VoiceNotFoundError")),
         [Refused(REPORTED, "VoiceNotFoundError: nobody", reason="unknown_voice")]),
        (joined(server.error("out of memory")), [Refused(REPORTED, "out of memory")]),
        (joined(server.Event("error", {"text": 7})), [Refused(REPORTED)]),
        (joined(server.STOPPED, server.Event("pong"), server.Event("info", {"tts": []})), []),
        (b'{"type": "audio-stop", "data_length": null, "payload_length": 0}\n',
         [Refused("audio-stop and no audio for a text", reason="no_audio")]),
        (b"hello\n" + TRANSCRIPT, [Malformed("not JSON", "hello")]),
        (b'{"type": 7}\n', [Malformed("a line that announces no event", '{"type": 7}')]),
        (b'{"type": "x", "data_length": 1.5}\n',
         [Malformed("a line that announces no event", '{"type": "x", "data_length": 1.5}')]),
        (b'{"type": "x", "data_length": 3}\n[1]', [Malformed("not a JSON object", "[1]")]),
        (b"x" * (MAX_LINE_BYTES + 1), [Refused(f"a line is longer than {MAX_LINE_BYTES} bytes", reason="flood")]),
        (b'{"type": "x", "data_length": %d}\n' % (MAX_DATA_BYTES + 1),
         [Refused(f"an event with data of more than {MAX_DATA_BYTES} bytes", reason="flood")]),
        (b'{"type": "x", "payload_length": %d}\n' % (MAX_PAYLOAD_BYTES + 1),
         [Refused(f"an event with a payload of more than {MAX_PAYLOAD_BYTES} bytes", reason="flood")]),
    ],
)  # fmt: skip
def test_what_else_it_may_say(data: bytes, steps: list[Step]) -> None:
    assert answered(data) == steps


@pytest.mark.parametrize("text", ["...", " -", ".", "\u201d"])
def test_an_error_for_a_text_without_a_word_is_its_end(text: str) -> None:
    """As Piper's server has it: it makes a file of no audio, which has no number of channels."""
    assert answered(joined(server.error("# channels not specified", "Error")), text) == [SegmentEnd(), Drop()]
    (refused,) = answered(joined(server.error("# channels not specified", "Error")), f"a{text}")
    assert isinstance(refused, Refused)


def test_no_sound_is_right_for_a_text_without_a_word() -> None:
    assert answered(joined(server.STOP), text=" … ") == [SegmentEnd(), Drop()]


def test_so_many_events_are_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.protocols.wyoming.events.MAX_EVENTS", 300)
    events = Events()
    line = b'{"type":"x"}\n'
    assert all(isinstance(each, Heard) for each in events.feed(line * 300))
    (last,) = events.feed(line)
    assert last == Refused("more than 300 events on one connection", reason="flood")
    assert [*events.feed(line)] == []


# How a connection may end


def test_a_connection_that_ends_before_there_is_a_text_is_opened_anew() -> None:
    talk = conversation()
    assert [*talk.received(CLOSED, 1)] == [Drop()]
    assert asked(talk)[0] == [Connect()]
    assert [*talk.received(CLOSED, 2)] == []


def test_one_that_ends_in_the_moment_of_the_first_text_is_asked_once_more() -> None:
    talk = conversation()
    _, events = asked(talk)
    connect, send = talk.received(CLOSED, 2)
    assert connect == Connect()
    assert isinstance(send, Send) and isinstance(send.frame, Raw)
    assert [*Events().feed(send.frame.data)] == events
    assert [*talk.received(CLOSED, 3)] == []


@pytest.mark.parametrize("ended", [CLOSED, Ended("flood", "more than 64 MiB on one connection")])
def test_the_end_in_the_middle_of_an_answer_is_one(ended: Ended) -> None:
    talk = conversation()
    asked(talk)
    assert heard(talk, [TRANSCRIPT[:-5]])[-1] == Audio(b"\n\x06")
    assert [*talk.received(ended, 2)] == []


def test_what_comes_when_nothing_is_asked_is_none_of_ours() -> None:
    assert [*conversation().received(Raw(TRANSCRIPT), 1)] == [Unknown()]


def test_what_was_said_before_may_end_after_the_request() -> None:
    talk = conversation()
    greeting = joined(server.Event("info", server.INFO))
    assert [*talk.received(Raw(greeting[:50]), 1)] == [Unknown()]
    asked(talk)
    assert heard(talk, [greeting[50:] + TRANSCRIPT]) == SAID


def test_what_is_no_event_is_wrong_though_nothing_was_asked() -> None:
    assert [*conversation().received(Raw(b"SSH-2.0\n"), 1)] == [Malformed("not JSON", "SSH-2.0")]


@given(st.one_of(st.binary(), mutated(TRANSCRIPT)), st.integers(1, 50), st.sampled_from([{}, STREAMED]))
def test_nothing_that_it_sends_raises_and_cuts_change_nothing(data: bytes, size: int, options: dict[str, str]) -> None:
    talks = [streaming() if options else conversation() for _ in range(2)]
    for talk in talks:
        list(talk.add(TEXT, 1) if options else talk.speak(TEXT, 1))
    whole = heard(talks[0], [data])
    assert whole == heard(talks[1], [data[at : at + size] for at in range(0, len(data), size)])
    assert sum(len(each.pcm) for each in whole if isinstance(each, Audio)) <= len(data)
    for step in whole:
        assert not isinstance(step, Refused) or (step.reason in REASONS["tts"] and step.message.isprintable())


# What it says of itself

PLAN = ServerPlan("wyoming", "tcp://spark:10200", {})


def described(question: Any, info: Any, pieces: int = 7) -> Any:
    """What is read of a description that comes in pieces, after another event."""
    assert (question.url, question.framing, question.frame) == ("tcp://spark:10200", "raw", Raw(written("describe")))
    hear: Callable[[Any], Any] = question.listen()
    data = joined(server.Event("pong"), server.Event("info", info))
    found = [hear(Raw(data[at : at + pieces])) for at in range(0, len(data), pieces)]
    assert found[:-1] == [None] * (len(found) - 1)
    return found[-1]


@pytest.mark.parametrize(
    ("info", "build", "voices"),
    [
        (server.INFO, "scripted 1.2", ("aria", "leo")),
        ({"tts": [{"name": "old", "installed": False, "voices": [{"name": "x"}]}, {"name": "piper"}]}, "piper", None),
        ({"tts": [{"version": 3, "voices": [{"name": "a"}, {"name": "b", "installed": False}, 7, {}]}]}, None, ("a",)),
        ({"tts": [{"voices": [{"name": str(number)} for number in range(2001)]}]}, None, None),
        ({"asr": []}, None, None),
        ({"tts": 7}, None, None),
        ({}, None, None),
    ],
)
def test_its_description(info: Mapping[str, Any], build: str | None, voices: tuple[str, ...] | None) -> None:
    (identity,), (listed,) = PROTOCOL.identity(PLAN), PROTOCOL.voices(PLAN)
    assert described(identity, info) == ServerIdentity(None, build)
    assert described(listed, info, 1) == voices


def test_who_is_to_take_streams_is_asked_whether_it_does() -> None:
    assert PROTOCOL.advice(PLAN) == ()
    (question,) = PROTOCOL.advice(ServerPlan("wyoming", "tcp://spark:10200", STREAMED))
    assert described(question, server.INFO) == ""
    assert "takes no stream of text" in described(question, {"tts": [{"name": "old"}]})


def test_a_description_that_is_none_is_no_answer() -> None:
    for data in (b"hello\n" + joined(server.Event("info", {})), b"x" * MAX_LINE_BYTES * 2, TRANSCRIPT):
        question: Any = PROTOCOL.identity(PLAN)[0]
        hear = question.listen()
        assert [hear(Raw(data)), hear(CLOSED)] == [None, None]
