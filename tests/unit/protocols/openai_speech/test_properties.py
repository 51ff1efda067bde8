"""Whatever a server sends: events, never an exception, and never more audio than bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from speech_answers import PCM, base64, conversation, event, fmt, heard, joined, riff, wav

from probe.protocols.base import Audio, AudioFormat, Malformed, Refused, SegmentEnd, Step
from probe.protocols.openai_speech import request
from probe.protocols.samples import RATES
from probe.record import REASONS
from probe.transport.framing.base import Binary, Body, BodyEnd, Ended, Raw, Response, Text

TYPES = (
    "", "audio/pcm", "audio/pcm;rate=22050", "audio/L16;rate=;rate", "audio/wav", "audio/mpeg", "text/event-stream",
    "application/json", "text/html", ";;=;", "audio/pcm_f32le",
)  # fmt: skip
begins = st.sampled_from(
    (b"", b"RIFF", wav(b"")[:44], riff(fmt(3)), b"ID3", b"\xff\xfb\x90", b"data: {", event({"audio": base64(PCM)}))
)
bodies = st.builds(bytes.__add__, begins, st.binary(max_size=200))
headers = st.fixed_dictionaries(
    {"content-type": st.one_of(st.sampled_from(TYPES), st.text(max_size=20))},
    optional={"x-sample-rate": st.text(max_size=9), "content-encoding": st.text(max_size=9)},
)


def check(steps: list[Step], size: int) -> None:
    assert sum(len(each.pcm) for each in steps if isinstance(each, Audio)) <= size
    for each in steps:
        match each:
            case AudioFormat(rate):
                assert rate in RATES
            case Refused(message, reason=reason):
                assert reason in REASONS["tts"] and message.isprintable() and len(message) <= 400
            case Malformed(detail):
                assert detail.isprintable()
    ends = [number for number, each in enumerate(steps) if isinstance(each, Refused | Malformed | SegmentEnd)]
    assert ends in ([], [len(steps) - 1])


@given(headers, st.lists(bodies, max_size=5), st.sampled_from((200, 206, 302, 400, 404, 422, 429, 500, 503, 999)))
def test_any_answer(head: dict[str, str], pieces: list[bytes], status: int) -> None:
    check(heard(head, pieces, status), sum(map(len, pieces)))


@given(headers, bodies, st.data())
def test_where_a_body_is_cut_does_not_matter(head: dict[str, str], body: bytes, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    pieces = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    assert heard(head, pieces) == heard(head, [body])


@given(
    st.lists(
        st.one_of(
            st.builds(Response, st.integers(100, 999), headers),
            st.builds(Body, bodies),
            st.just(BodyEnd()),
            st.builds(Ended, st.sampled_from(("closed", "malformed", "flood")), st.just("")),
            st.builds(Text, bodies),
            st.builds(Binary, bodies),
            st.builds(Raw, bodies),
            st.sampled_from(("speak", "close", "wake", "open")),
        ),
        max_size=30,
    )
)
def test_any_frames_in_any_order(frames: list[object]) -> None:
    talk = conversation()
    size = 0
    steps: list[Step] = []
    for at, frame in enumerate(frames):
        match frame:
            case "speak":
                steps += talk.speak("Hello.", at)
            case "close":
                steps += talk.close(at)
            case "open":
                steps += talk.open(at)
            case "wake":
                steps += talk.wake(at)
            case Response() | BodyEnd() | Ended() | Body() | Text() | Binary() | Raw():
                size += len(frame.data) if isinstance(frame, Body) else 0
                steps += talk.received(frame, at)
    assert sum(len(each.pcm) for each in joined(steps) if isinstance(each, Audio)) <= size


@given(st.one_of(st.binary(), st.sampled_from((b'["a"]', b'{"voices": [{"id": "a", "name": 3}, null, []]}'))))
def test_any_list_of_voices(document: bytes) -> None:
    found = request.voices(document)
    assert found is None or (found and all(name.isprintable() for name in found))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_audio_is_whole_samples(size: int) -> None:
    """However it comes in, except for the half that may be left at its very end."""
    talk = conversation()
    [*talk.open(0), *talk.speak("Hello.", 0), *talk.received(Response(200, {}), 0)]
    body = PCM * 9
    steps = [step for at in range(0, len(body), size) for step in talk.received(Body(body[at : at + size]), at)]
    assert {len(each.pcm) % 2 for each in steps if isinstance(each, Audio)} == {0}
