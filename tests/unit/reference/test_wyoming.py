"""The reference server for Wyoming: how it cuts a text, what it reads, what it answers. No sockets."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pytest

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


async def talk(*asked: bytes, streaming: bool = True) -> tuple[list[tuple[str, Mapping[str, Any]]], Beeps]:
    """What is answered to these events, audio left out, and what was spoken."""
    engine, written = Beeps(), Written()
    synthesizer = Synthesizer(engine, SAMPLE_RATE)
    reader = asyncio.StreamReader(limit=events.LONGEST_LINE)
    reader.feed_data(b"".join(asked))
    reader.feed_eof()
    await Talk(cast("asyncio.StreamWriter", written), synthesizer, "aria", streaming=streaming).run(reader)
    synthesizer.close()
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
