"""PocketSphinx: US English on a CPU, with a model that is part of its package.

The audio is decoded while it comes, so that little is left to be done at its end. It makes more errors than newer
recognisers: it is here because it needs neither a GPU nor a download beside its package.
"""

from typing import Any

from probe.reference.hearing.engine import SAMPLE_RATE

# The strictest of the four modes of its detector: the softer ones hear speech in the silence for 200 ms more.
_STRICT = 3
_RATIO = 0.9  # of the window: so much of it has to be speech, or silence


class SphinxRecogniser:
    """The speech is over after about `silence_ms` without any. The same audio gives the same text, every time."""

    model = "en-us"
    languages = ("en",)

    def __init__(self, silence_ms: int) -> None:
        self._window_s = silence_ms / 1000

    def load(self) -> None:
        from pocketsphinx import Decoder  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; an extra

        self._decoder: Any = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")
        self._level: str = self._decoder.get_cmn(False)

    def begin(self) -> None:
        from pocketsphinx import Endpointer  # noqa: PLC0415 - as above

        # What it learned about the loudness of the last utterance is not for this one.
        self._decoder.set_cmn(self._level)
        self._decoder.start_utt()
        self._endpointer: Any = Endpointer(self._window_s, _RATIO, _STRICT, SAMPLE_RATE)
        self._rest = b""

    def listen(self, pcm: bytes) -> bool:
        size = self._endpointer.frame_bytes
        self._rest += pcm
        while len(self._rest) >= size:
            self._endpointer.process(self._rest[:size])
            self._rest = self._rest[size:]
        speaking: bool = self._endpointer.in_speech
        return speaking

    def decode(self, pcm: bytes) -> None:
        self._decoder.process_raw(pcm)

    def end(self) -> str:
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return "" if found is None else str(found.hypstr)
