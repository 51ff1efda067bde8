"""An engine on its thread."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from probe.reference.speech.engine import SpeechError, Utterance
from probe.reference.speech.synthesizer import Synthesizer


class ScriptedEngine:
    """Makes the pieces it was given, whatever the text, and notes what it was asked for and on which thread."""

    languages = ("en",)

    def __init__(self, pieces: list[list[float]], rate: float = 22000) -> None:
        self.pieces = pieces
        self.rate = rate
        self.asked: list[tuple[str, str, str]] = []
        self.threads: set[str] = set()

    def load(self) -> None:
        self.threads.add(threading.current_thread().name)

    def utter(self, text: str, voice: str, language: str) -> Utterance:
        self.asked.append((text, voice, language))
        return Utterance(self.rate, self._make())

    def _make(self) -> Iterator[np.ndarray[tuple[int], np.dtype[np.float32]]]:
        for piece in self.pieces:
            self.threads.add(threading.current_thread().name)
            yield np.array(piece, np.float32)


async def speak(engine: ScriptedEngine) -> list[bytes]:
    synthesizer = Synthesizer(engine, 22000)
    try:
        return [piece async for piece in synthesizer.speak("“Hi” there", "aria", "en")]
    finally:
        synthesizer.close()


async def test_the_text_is_normalised_and_the_voice_passed_on() -> None:
    engine = ScriptedEngine([])
    await speak(engine)
    assert engine.asked == [('"Hi" there', "aria", "en")]


async def test_each_piece_comes_as_it_is_made() -> None:
    pieces = await speak(ScriptedEngine([[0.5] * 1000, [0.25] * 500]))
    assert [len(piece) // 2 for piece in pieces] == [1000, 500, 0]


async def test_the_engines_rate_becomes_the_servers() -> None:
    pieces = await speak(ScriptedEngine([[0.5] * 1000] * 24, rate=24000))
    assert sum(len(piece) // 2 for piece in pieces) == 22000


async def test_an_engine_that_says_nothing_makes_no_audio() -> None:
    assert b"".join(await speak(ScriptedEngine([]))) == b""


async def test_the_engine_never_runs_on_the_event_loops_thread() -> None:
    engine = ScriptedEngine([[0.0], [0.0]])
    synthesizer = Synthesizer(engine, 22000)
    assert not synthesizer.ready
    await synthesizer.load()
    assert synthesizer.ready
    async for _ in synthesizer.speak("Hi", "aria", "en"):
        pass
    synthesizer.close()
    assert len(engine.threads) == 1
    assert threading.current_thread().name not in engine.threads


async def test_audio_that_is_not_a_number_is_an_error() -> None:
    with pytest.raises(SpeechError, match="not numbers"):
        await speak(ScriptedEngine([[float("nan")] * 1000]))


async def test_whatever_the_engine_raises_is_a_speech_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine([])
    monkeypatch.setattr(engine, "_make", lambda: 1 / 0)
    with pytest.raises(SpeechError, match="division by zero"):
        await speak(engine)


async def test_an_engine_that_cannot_be_loaded_is_a_speech_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine([])
    monkeypatch.setattr(engine, "load", lambda: 1 / 0)
    synthesizer = Synthesizer(engine, 22000)
    with pytest.raises(SpeechError, match="could not be loaded"):
        await synthesizer.load()
    synthesizer.close()
    assert not synthesizer.ready
