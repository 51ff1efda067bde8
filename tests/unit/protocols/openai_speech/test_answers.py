"""What an answer is, and the audio in it, however its bytes are cut."""

import json
from typing import Any

import pytest
from speech_answers import (
    PCM,
    RATE,
    UNKNOWN,
    base64,
    chunk,
    cuts,
    event,
    extensible,
    fmt,
    heard,
    riff,
    wav,
)

from probe.protocols.base import Audio, AudioFormat, Malformed, Refused, SegmentEnd, Step
from probe.transport.framing.base import Ended

AS_PCM = {"content-type": "audio/pcm"}
AS_WAV = {"content-type": "audio/wav"}
AS_EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
END = SegmentEnd(how="end")
LIST = chunk(b"LIST", b"INFOISFT\x0d\0\0\0Lavf60.16.10\0\0")
FLOAT = "WAV with 32-bit float, 1 channel(s) at 24000 Hz"
DELTA = "speech.audio.delta"
DONE = event({"type": "speech.audio.done", "usage": {"total_tokens": 9}})


def spoken(pcm: bytes = PCM, rate: int = RATE) -> list[Step]:
    return [AudioFormat(rate), Audio(pcm), END]


def delta(data: bytes) -> bytes:
    return event({"type": DELTA, "audio": base64(data)})


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        # Raw samples, and each way of stating their rate.
        (AS_PCM, PCM, spoken()),
        ({}, PCM, spoken()),
        ({"content-type": "application/octet-stream"}, PCM, spoken()),
        ({"content-type": "audio/pcm;rate=22050"}, PCM, spoken(rate=22050)),
        ({"content-type": 'audio/L16; channels="1"; rate="16000"'}, PCM, spoken(rate=16000)),
        ({"content-type": "audio/pcm_s16le", "x-sample-rate": " 22050 "}, PCM, spoken(rate=22050)),
        ({"content-type": "audio/pcm;rate=16000", "x-sample-rate": "22050"}, PCM, spoken(rate=16000)),
        ({"content-type": "audio/pcm;rate=0", "x-sample-rate": "1e5"}, PCM, spoken()),
        ({"content-type": "audio/pcm", "x-sample-rate": "9" * 5000}, PCM, spoken()),
        # Half a sample is not lost: it shows that something is wrong.
        (AS_PCM, PCM + b"\1", spoken(PCM + b"\1")),
        # Samples that begin as something else might.
        (AS_PCM, b"\xff\xff" + PCM, spoken(b"\xff\xff" + PCM)),
        (AS_PCM, b"\xff\xfe\xff\xff" + PCM, spoken(b"\xff\xfe\xff\xff" + PCM)),
        (AS_PCM, b"RI" + PCM, spoken(b"RI" + PCM)),
        (AS_PCM, b"{}" + PCM, spoken(b"{}" + PCM)),
        (AS_PCM, b"\xff\xfb", spoken(b"\xff\xfb")),
        # WAV, whatever its type says: all sizes unknown, or said, or too large.
        (AS_WAV, wav(), spoken()),
        (AS_PCM, wav(rate=22050), spoken(rate=22050)),
        ({"content-type": "text/html"}, wav(), spoken()),
        ({}, wav(size=0), spoken()),
        (AS_WAV, wav(size=UNKNOWN), spoken()),
        (AS_WAV, wav(size=2**31), spoken()),
        (AS_WAV, riff(fmt(), LIST, chunk(b"data", PCM, UNKNOWN)), spoken()),
        (AS_WAV, riff(LIST, chunk(b"odd ", b"x"), fmt(), chunk(b"data", PCM)), spoken()),
        (AS_WAV, riff(fmt(more=b"\0\0"), chunk(b"data", PCM)), spoken()),
        (AS_WAV, riff(extensible(1), chunk(b"data", PCM)), spoken()),
        (AS_WAV, b"RF64" + wav(size=UNKNOWN)[4:], spoken()),
        # What follows samples of a known size is no sound.
        (AS_WAV, riff(fmt(), chunk(b"data", PCM), LIST), spoken()),
        (AS_WAV, wav() + b"trailing", spoken()),
        # Events.
        (AS_EVENTS, delta(PCM[:31]) + delta(PCM[31:]) + DONE, spoken()),
        (AS_EVENTS, delta(PCM) + DONE + event("[DONE]"), spoken()),
        (AS_EVENTS, (delta(PCM) + DONE).replace(b"\n", b"\r\n"), spoken()),
        (AS_EVENTS, (delta(PCM) + DONE).replace(b"\n", b"\r"), spoken()),
        (AS_EVENTS, (delta(PCM[:2]) + delta(PCM[2:]) + DONE).replace(b"\n\n", b"\n"), spoken()),
        (AS_EVENTS, b": hello\n\n" + delta(PCM).replace(b"data: ", b"data:").rstrip(), spoken()),
        (AS_EVENTS, event({"audio": base64(PCM)}, DELTA) + event({}, "speech.audio.done"), spoken()),
        (AS_EVENTS, event({"audio": {"data": base64(PCM), "sample_rate": 22050}}), spoken(rate=22050)),
        (AS_EVENTS, event({"type": "audio.data", "data": base64(PCM).rstrip("=")}), spoken()),
        (AS_EVENTS, event({"type": "response.audio.delta", "delta": base64(PCM)}), spoken()),
        (AS_EVENTS | {"x-sample-rate": "44100"}, delta(PCM), spoken(rate=44100)),
        (AS_EVENTS, delta(wav(rate=22050)[:50]) + delta(wav(rate=22050)[50:]) + DONE, spoken(rate=22050)),
        (AS_EVENTS, b"\xef\xbb\xbf" + event('{"type": "speech.audio.delta",\ndata: "audio": "AAA="}'), spoken(b"\0\0")),
    ],
)  # fmt: skip
def test_the_audio_in_an_answer(headers: dict[str, str], body: bytes, expected: list[Step]) -> None:
    for pieces in cuts(body):
        assert heard(headers, pieces) == expected, pieces


def test_a_file_in_each_event() -> None:
    files = [wav(PCM[:100]), wav(PCM[100:])]
    body = b"".join(event({"audio": {"data": base64(each), "format": "wav"}}) for each in files)
    form = AudioFormat(RATE)
    for pieces in cuts(body):
        assert heard(AS_EVENTS, pieces) == [form, Audio(PCM[:100]), form, Audio(PCM[100:]), END]


def refused(message: str, reason: str = "wrong_format", said: str = "") -> list[Step]:
    return [Refused(message, said, reason=reason)]


def reported(said: str) -> Refused:
    return Refused("it reported an error", said)


def nothing(what: str) -> list[Step]:
    return refused(f"{what} for a text; does it have the voice 'af_heart'?", "no_audio")


def instead(what: str, said: str = "") -> list[Step]:
    return refused(f"{what} instead of 16-bit mono PCM", said=said)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        # Formats that can't be measured, by their own bytes and by name.
        (AS_PCM, b"ID3\x04\0\0\0\0\0#TSSE", instead("MP3")),
        (AS_PCM, b"\xff\xfb\x90\xc4\0\0", instead("MP3")),
        ({"content-type": "audio/mpeg"}, b"\xff\xf3\x84\xc4\0\0", instead("MP3")),
        ({"content-type": "audio/aac"}, b"\xff\xf1\x4c\x80\x1c\xff\xfc", instead("AAC")),
        (AS_PCM, b"OggS\0\2\0\0", instead("Ogg (Opus or Vorbis)")),
        ({}, b'fLaC\0\0\0"', instead("FLAC")),
        ({"content-type": "audio/webm"}, b"\x1aE\xdf\xa3\x01", instead("WebM")),
        ({"content-type": "audio/mpeg"}, PCM, instead("audio/mpeg", "content-type: audio/mpeg")),
        (AS_WAV, PCM, instead("audio/wav", "content-type: audio/wav")),
        (
            {"content-type": "audio/pcm;rate=24000;channels=2"},
            PCM,
            instead("audio/pcm", "content-type: audio/pcm;rate=24000;channels=2"),
        ),
        ({"content-type": "audio/pcm_f32le"}, PCM, instead("another type", "content-type: audio/pcm_f32le")),
        (AS_PCM | {"content-encoding": "gzip"}, b"\x1f\x8b\x08", instead("a packed body", "content-encoding: gzip")),
        # WAV with something else in it.
        (AS_WAV, riff(fmt(3, bits=32), chunk(b"data", PCM)), instead(FLOAT)),
        (AS_WAV, riff(extensible(3, 32), chunk(b"data", PCM)), instead(FLOAT)),
        (AS_WAV, riff(fmt(channels=2), chunk(b"data", PCM)), instead("WAV with 16-bit PCM, 2 channel(s) at 24000 Hz")),
        (AS_WAV, riff(fmt(bits=8), chunk(b"data", PCM)), instead("WAV with 8-bit PCM, 1 channel(s) at 24000 Hz")),
        (AS_WAV, riff(fmt(bits=24), chunk(b"data", PCM)), instead("WAV with 24-bit PCM, 1 channel(s) at 24000 Hz")),
        (AS_WAV, riff(fmt(7, bits=8), chunk(b"data", PCM)), instead("WAV with 8-bit mu-law, 1 channel(s) at 24000 Hz")),
        (AS_WAV, riff(fmt(rate=0), chunk(b"data", PCM)), instead("WAV with 16-bit PCM, 1 channel(s) at 0 Hz")),
        (AS_WAV, riff(chunk(b"data", PCM), fmt()), instead("a WAV file without a format")),
        (AS_WAV, riff(chunk(b"fmt ", b"\1\0\1\0")), instead("a WAV file with half a format")),
        (AS_WAV, b"RIFF\0\0\0\0AVI LIST", instead("RIFF that is no WAV")),
        (AS_EVENTS, delta(riff(fmt(3, bits=32))), instead(FLOAT)),
        (AS_EVENTS, delta(b"ID3\x04\0\0"), instead("MP3")),
        # Words.
        (
            {"content-type": "application/json"},
            b'{"error": {"message": "no such voice"}}',
            instead("JSON", "no such voice"),
        ),
        ({}, b'{"detail": "model not loaded"}', instead("JSON", "model not loaded")),
        (AS_PCM, b"<html><body>502", instead("HTML")),
        ({"content-type": "text/plain"}, b"no", instead("text/plain", "no")),
        (AS_PCM, b"{}", instead("JSON", "{}")),
        # Errors amid a stream.
        (
            AS_EVENTS,
            event({"type": "speech.audio.error", "error": {"message": "CUDA", "code": 500}}),
            [reported("CUDA")],
        ),
        (AS_EVENTS, event({"message": "gone"}, "error"), [reported("gone")]),
        (AS_EVENTS, event({"error": "gone"}) + event("[DONE]"), [reported("gone")]),
        (AS_EVENTS, event("hello"), [Malformed("not JSON", "hello")]),
        (AS_EVENTS, event({"audio": "!"}), [Malformed("audio that is not base64", "!")]),
        # Nothing at all.
        (AS_PCM, b"", nothing("an empty body")),
        (AS_EVENTS, DONE, nothing("an event stream without audio")),
        ({"content-type": "application/json"}, b"", nothing("an empty body")),
    ],
)  # fmt: skip
def test_an_answer_without_audio_that_can_be_measured(
    headers: dict[str, str], body: bytes, expected: list[Step]
) -> None:
    for pieces in cuts(body) if body else [[]]:
        assert heard(headers, pieces) == expected, pieces


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (wav(b""), nothing("a WAV header without any sample")),
        (riff(fmt(), chunk(b"data", b"", UNKNOWN)), nothing("a WAV header without any sample")),
        (riff(fmt()), instead("a WAV file that ends before its samples")),
        (riff(fmt(), chunk(b"LIST", b"", 2**31)), instead("a WAV file that ends before its samples")),
    ],
)
def test_a_header_alone_is_no_sound(body: bytes, expected: list[Step]) -> None:
    for pieces in cuts(body):
        assert heard(AS_WAV, pieces) == [AudioFormat(RATE), *expected]


def test_audio_before_an_error_was_heard() -> None:
    body = delta(PCM) + event({"type": "speech.audio.error", "message": "CUDA"}) + delta(PCM)
    for pieces in cuts(body):
        assert heard(AS_EVENTS, pieces) == [AudioFormat(RATE), Audio(PCM), reported("CUDA")]


def test_a_text_without_a_word_may_have_no_sound() -> None:
    assert heard(AS_PCM, [], text=" … ") == [END]


@pytest.mark.parametrize("headers", [AS_PCM, AS_WAV, AS_EVENTS])
def test_a_body_that_is_cut_short_is_no_end(headers: dict[str, str]) -> None:
    body = {"audio/pcm": PCM, "audio/wav": wav()}.get(headers["content-type"], delta(PCM))
    cut = heard(headers, [body], ended=Ended("closed", "in the middle of its response"))
    assert cut == [AudioFormat(RATE), Audio(PCM)]


def test_an_event_is_no_longer_than_anyone_would_read() -> None:
    endless = b'data: {"audio": "' + b"A" * 2**16
    found = heard(AS_EVENTS, [endless, *[b"A" * 2**16] * 80])
    assert found == [Refused("an event of more than 1 MiB", reason="flood")]
    lines = b"".join(b"data: " + b"A" * 2**10 + b"\n" for _ in range(5000))
    assert heard(AS_EVENTS, [lines]) == found


def test_a_document_is_read_no_further_than_its_message_may_be() -> None:
    document: dict[str, Any] = {"error": "x" * 2**20}
    (found,) = heard({"content-type": "application/json"}, [json.dumps(document).encode()])
    assert isinstance(found, Refused) and len(found.message) < 400 and 250 < len(found.said) < 400
