"""The reference server for Wyoming: how it cuts a text, what it reads, what it answers. No sockets."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pytest

from probe.reference.hearing import transcriber as hearing
from probe.reference.hearing.engine import HearingError
from probe.reference.hearing.transcriber import Transcriber
from probe.reference.speech.engine import Utterance
from probe.reference.speech.synthesizer import Synthesizer
from probe.reference.wyoming import events
from probe.reference.wyoming.sentences import LONGEST_SENTENCE, Sentences
from probe.reference.wyoming.server import LONGEST_TEXT, SAMPLE_RATE, Talk


class Beeps:
    """Says a tenth of a second for each text."""

    languages = ("en",)

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def load(self) -> None:
        pass

    def utter(self, text: str, voice: str, language: str) -> Utterance:
        del language
        self.said.append((text, voice))

        def pieces() -> Iterator[Any]:
            yield np.full(SAMPLE_RATE // 10, 0.25, dtype=np.float32)

        return Utterance(SAMPLE_RATE, pieces())


class Ears:
    """Understands how much it was given; somebody speaks while its last samples are not silent."""

    model = "small"
    languages = ("en",)

    def __init__(self) -> None:
        self.utterances: list[int] = []
        self.open = False

    def load(self) -> None:
        pass

    def begin(self) -> None:
        assert not self.open
        self.open = True
        self.utterances.append(0)

    def listen(self, pcm: bytes) -> bool:
        return any(pcm[-40:])

    def decode(self, pcm: bytes) -> None:
        self.utterances[-1] += len(pcm)

    def end(self) -> str:
        self.open = False
        return f"{self.utterances[-1] / 32:.0f} ms"


class Written:
    """What would have gone over the wire."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def sent(kind: str, **data: Any) -> bytes:
    return events.written(kind, data)


def chunk(text: str) -> bytes:
    return sent("synthesize-chunk", text=text)


async def talk(
    *asked: bytes, streaming: bool = True, ears: Ears | None = None
) -> tuple[list[tuple[str, Mapping[str, Any]]], Beeps]:
    """What is answered to these events, audio left out, and what was spoken."""
    engine, written = Beeps(), Written()
    transcriber = None if ears is None else Transcriber(ears)
    synthesizer = Synthesizer(engine, SAMPLE_RATE)
    reader = asyncio.StreamReader(limit=events.LONGEST_LINE)
    reader.feed_data(b"".join(asked))
    reader.feed_eof()
    await Talk(cast("asyncio.StreamWriter", written), synthesizer, "aria", transcriber, streaming=streaming).run(reader)
    synthesizer.close()
    if transcriber is not None:
        transcriber.close()
    assert written.closed
    answers = asyncio.StreamReader()
    answers.feed_data(written.data)
    answers.feed_eof()
    found: list[tuple[str, Mapping[str, Any]]] = []
    while (event := await events.read(answers)) is not None:
        if event.type != "audio-chunk":
            found.append((event.type, event.data))
    return found, engine


def kinds(answers: list[tuple[str, Mapping[str, Any]]]) -> list[str]:
    return [kind for kind, _ in answers]


def test_a_sentence_ends_when_the_next_begins() -> None:
    sentences = Sentences()
    assert [*sentences.add("Hello the")] == []
    assert [*sentences.add("re. ")] == []
    assert [*sentences.add('How "are" you?" I')] == ["Hello there. ", 'How "are" you?" ']
    assert [*sentences.add(" am 1.5 m.")] == []
    assert [*sentences.rest()] == ["I am 1.5 m."]
    assert [*sentences.rest()] == []
    assert [*sentences.add("x" * (LONGEST_SENTENCE + 1))] == ["x" * (LONGEST_SENTENCE + 1)]


async def test_a_whole_text_is_one_stretch_of_audio() -> None:
    answers, engine = await talk(sent("synthesize", text="Hello. You.", voice={"name": "leo", "language": "en_US"}))
    assert kinds(answers) == ["audio-start", "audio-stop"]
    assert answers[0][1] == {"rate": 22050, "width": 2, "channels": 1}
    assert [voice for _, voice in engine.said] == ["leo"]


async def test_of_a_stream_each_sentence_is_spoken_by_itself() -> None:
    asked = (sent("synthesize-start"), chunk("Hel"), chunk("lo. You"), sent("synthesize", text="all"), chunk("."))
    answers, engine = await talk(*asked, sent("synthesize-stop"), sent("ping"))
    assert kinds(answers) == ["audio-start", "audio-stop"] * 2 + ["synthesize-stopped", "pong"]
    assert [text.strip() for text, _ in engine.said] == ["Hello.", "You."]


async def test_an_older_server_takes_whole_texts_alone() -> None:
    answers, _ = await talk(sent("synthesize-start"), chunk("Hi."), sent("synthesize-stop"), streaming=False)
    assert answers == []
    ((_, info),), _ = await talk(sent("describe"), streaming=False)
    assert info["tts"][0]["supports_synthesize_streaming"] is False


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (sent("synthesize", text="x", voice={"name": "nobody"}), "VoiceNotFoundError"),
        (sent("synthesize", text="x", voice={"language": "fr_FR"}), "VoiceNotFoundError"),
        (sent("synthesize-start") + chunk("x" * (LONGEST_TEXT // 2 + 1)) * 2, None),
    ],
)
async def test_what_can_not_be_had_is_an_error_and_the_end(asked: bytes, code: str | None) -> None:
    answers, _ = await talk(asked, sent("ping"))
    assert kinds(answers)[-1] == "error"
    assert answers[-1][1].get("code") == code


@pytest.mark.parametrize(
    "asked",
    [b"no json\n", b"[]\n", b'{"type": 3}\n', b'{"type": "x", "data_length": -1}\n', b"x" * 70_000,
     b'{"type": "x", "data_length": 99999999}\n', b'{"type": "x", "data_length": 2}\n[]', b'{"type": "x"'],
)  # fmt: skip
async def test_what_is_no_event_ends_the_connection(asked: bytes) -> None:
    answers, _ = await talk(asked, sent("ping"))
    assert answers == []


def test_an_event_is_written_as_others_write_it() -> None:
    line, _, rest = events.written("audio-chunk", {"rate": 1}, b"\x01\x02").partition(b"\n")
    assert json.loads(line) == {"type": "audio-chunk", "version": "1.10.0", "data_length": 11, "payload_length": 2}
    assert rest == b'{"rate": 1}\x01\x02'


# Hearing


def form(rate: int = 22050, width: int = 2, channels: int = 1) -> dict[str, int]:
    return {"rate": rate, "width": width, "channels": channels}


def audio(level: int, ms: int, **other: int) -> bytes:
    return events.written("audio-chunk", form(**other), level.to_bytes(2, "little") * (22050 * ms // 1000))


START, STOP = events.written("audio-start", form()), sent("audio-stop")


async def test_audio_is_transcribed_whole_and_the_ends_of_speech_are_told() -> None:
    ears = Ears()
    asked = (sent("transcribe", language="en_US", name="small"), START, audio(0, 100), audio(9000, 200), audio(0, 100))
    answers, _ = await talk(*asked, STOP, START, audio(9000, 60), STOP, sent("ping"), ears=ears)
    assert kinds(answers) == ["voice-started", "voice-stopped", "transcript", "voice-started", "transcript", "pong"]
    assert [data["text"] for kind, data in answers if kind == "transcript"] == ["400 ms", "60 ms"]


async def test_it_tells_what_it_hears_with() -> None:
    ((_, deaf),), _ = await talk(sent("describe"))
    ((_, info),), _ = await talk(sent("describe"), ears=Ears())
    assert deaf["asr"] == []
    (program,) = info["asr"]
    assert [(model["name"], model["languages"], model["installed"]) for model in program["models"]] == [
        ("small", ["en"], True)
    ]


@pytest.mark.parametrize(
    "asked",
    [
        sent("transcribe", name="large"),
        sent("transcribe", language="fr"),
        events.written("audio-start", form(width=4)),
        events.written("audio-start", form(channels=2)),
        events.written("audio-start", form(rate=1000)),
        sent("audio-start"),
        START + audio(1, 10, rate=16000),
        START + events.written("audio-chunk", form(), b"odd"),
    ],
)
async def test_audio_that_can_not_be_taken_is_an_error_and_the_end(asked: bytes) -> None:
    ears = Ears()
    answers, _ = await talk(asked, sent("ping"), ears=ears)
    assert kinds(answers) == ["error"]
    assert not ears.open


async def test_nobody_speaks_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LONGEST_S", 1)
    answers, _ = await talk(START, *[audio(1, 300)] * 4, STOP, ears=Ears())
    assert kinds(answers) == ["voice-started", "error"]
    assert "1 s" in answers[-1][1]["text"]


async def test_a_client_that_leaves_in_the_middle_leaves_an_idle_recogniser() -> None:
    ears = Ears()
    answers, _ = await talk(START, audio(9000, 100), ears=ears)
    assert kinds(answers) == ["voice-started"]
    assert not ears.open


async def test_a_server_that_does_not_hear_says_so() -> None:
    answers, _ = await talk(sent("transcribe"), sent("ping"))
    assert kinds(answers) == ["error"]


async def test_clients_are_heard_in_turn_and_none_waits_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    transcriber = Transcriber(Ears())
    async with transcriber.utterance(16000) as first:
        first.hear(bytes(640))
        monkeypatch.setattr(hearing, "TURN_S", 0.0)
        with pytest.raises(HearingError, match="busy"):
            async with transcriber.utterance(16000):
                pass
    async with transcriber.utterance(16000) as second:
        second.hear(bytes(1280))
        assert await second.text() == "40 ms"
    transcriber.close()


async def test_a_recogniser_that_fails_is_an_error_for_the_client_alone() -> None:
    class Broken(Ears):
        def decode(self, pcm: bytes) -> None:
            raise ValueError(len(pcm))

    ears = Broken()
    answers, _ = await talk(START, audio(9000, 100), STOP, ears=ears)
    assert answers[-1][1]["code"] == "HearingError"
    assert not ears.open
