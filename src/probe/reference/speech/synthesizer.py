"""One engine on one thread, as there is one GPU: requests are spoken in turn."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor

from probe.reference.speech.engine import Engine, SpeechError
from probe.reference.speech.normalise import normalise
from probe.reference.speech.pcm import to_pcm
from probe.reference.speech.resample import Resampler


class Synthesizer:
    """Text to PCM at `sample_rate` Hz. What is asked for while the engine still loads waits for it."""

    def __init__(self, engine: Engine, sample_rate: int) -> None:
        self.languages = engine.languages
        self.sample_rate = sample_rate
        self.ready = False
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "speech")

    async def load(self) -> None:
        """Load and warm up the engine. Raises SpeechError where it can't be."""
        await asyncio.get_running_loop().run_in_executor(self._thread, _load, self._engine)
        self.ready = True

    async def speak(
        self, text: str, voice: str, language: str, sample_rate: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Yield PCM piece by piece, as the engine makes it, at another rate where one is asked for. Raises SpeechError.

        Dropping the generator stops the engine after the piece it is at; other utterances take their turn in between.
        """
        pieces = pcm_pieces(self._engine, text, voice, language, sample_rate or self.sample_rate)
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._thread, next, pieces, None)) is not None:
            yield piece

    def close(self) -> None:
        """Begin nothing more. The piece that is being made goes on: no thread can be stopped in the middle."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def pcm_pieces(engine: Engine, text: str, voice: str, language: str, sample_rate: int) -> Iterator[bytes]:
    """Speak a text: PCM at `sample_rate`, piece by piece. Raises SpeechError, whatever it is that the engine raises."""
    try:
        utterance = engine.utter(normalise(text), voice, language)
        resampler = Resampler(utterance.rate, sample_rate)
        for samples in utterance.pieces:
            yield to_pcm(resampler.feed(samples))
        yield to_pcm(resampler.flush())
    except SpeechError:
        raise
    except Exception as error:
        raise SpeechError(f"the engine failed: {error!r}") from error


def _load(engine: Engine) -> None:
    try:
        engine.load()
    except SpeechError:
        raise
    except Exception as error:
        raise SpeechError(f"the engine could not be loaded: {error!r}") from error
