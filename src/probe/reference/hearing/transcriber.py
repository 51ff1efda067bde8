"""One recogniser on one thread: clients are heard one after the other, each for a limited time."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np

from probe.reference.hearing.engine import SAMPLE_RATE, HearingError, Recogniser
from probe.reference.speech.pcm import BYTES_PER_SAMPLE, FULL_SCALE, to_pcm
from probe.reference.speech.resample import Resampler

T = TypeVar("T")
# A client that waits longer for its turn is refused.
TURN_S = 30.0
LONGEST_S = 120  # of audio in one utterance
# PocketSphinx holds the interpreter while it works. In small pieces, the event loop runs in between.
_PIECE = SAMPLE_RATE // 50 * BYTES_PER_SAMPLE


class Transcriber:
    """PCM to text, one utterance at a time."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.model = recogniser.model
        self.languages = recogniser.languages
        self._recogniser = recogniser
        self._thread = ThreadPoolExecutor(1, "hearing")
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Load the recogniser. Raises HearingError where it can't be loaded."""
        await result(self._thread.submit(self._recogniser.load))

    @asynccontextmanager
    async def utterance(self, rate: int) -> AsyncIterator["Utterance"]:
        """An utterance at `rate` Hz, as soon as no other one is heard. Raises HearingError."""
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise HearingError(f"busy: others were heard for {TURN_S:g} s") from None
        try:
            await result(self._thread.submit(self._recogniser.begin))
            utterance = Utterance(self._recogniser, self._thread, rate)
            try:
                yield utterance
            finally:
                # Where the client left in the middle, too: the next one starts with an idle recogniser.
                await utterance.leave()
        finally:
            self._turn.release()

    def close(self) -> None:
        """Begin nothing more. What is being done goes on: no thread can be stopped in the middle."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class Utterance:
    """One utterance. Its end is found as it comes, even if understanding it takes longer than it lasts."""

    def __init__(self, recogniser: Recogniser, thread: ThreadPoolExecutor, rate: int) -> None:
        self.speaking = False
        self._recogniser = recogniser
        self._thread = thread
        self._resampler = Resampler(rate, SAMPLE_RATE)
        self._left = LONGEST_S * rate * BYTES_PER_SAMPLE
        self._decoding: list[Future[None]] = []
        self._ended = False

    def hear(self, pcm: bytes) -> None:
        """Take more of it. Raises HearingError for half a sample, or too many."""
        self._left -= len(pcm)
        if len(pcm) % BYTES_PER_SAMPLE or self._left < 0:
            raise HearingError(f"not 16-bit audio, or more than {LONGEST_S} s of it")
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
        ready = to_pcm(self._resampler.feed(samples))
        self.speaking = self._recogniser.listen(ready)
        self._decode(ready)

    async def text(self) -> str:
        """End it, and return what was said. Raises HearingError."""
        self._decode(to_pcm(self._resampler.flush()))
        for each in self._decoding:
            await result(each)
        self._ended = True
        return await result(self._thread.submit(self._recogniser.end))

    async def leave(self) -> None:
        """End it, if that was not done; nobody wants to know what was said."""
        for each in self._decoding:
            each.cancel()
        if not self._ended:
            self._ended = True
            await result(self._thread.submit(self._recogniser.end))

    def _decode(self, pcm: bytes) -> None:
        pieces = (pcm[at : at + _PIECE] for at in range(0, len(pcm), _PIECE))
        self._decoding += [self._thread.submit(self._recogniser.decode, piece) for piece in pieces]


async def result(work: "Future[T]") -> T:
    """What the recogniser's thread returned. Raises HearingError, whatever it is that the recogniser raised."""
    try:
        return await asyncio.wrap_future(work)
    except HearingError:
        raise
    except Exception as error:
        raise HearingError(f"the recogniser failed: {error!r}") from error
