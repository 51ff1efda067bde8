"""hibari: fast English speech on a CPU.

hibari speaks English only, and its package holds one voice. The five voice names are that voice at five pitches: it
speaks faster by 1/p and is played slower by p, so the tempo stays and everything else deepens (p < 1) or brightens.
Its other voices are downloads, which a test server must not start.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from probe.reference.speech.engine import Utterance

if TYPE_CHECKING:
    from probe.reference.speech.engine import Samples

PITCH = {"john": 0.80, "leo": 0.86, "jason": 0.92, "aria": 1.0, "sofia": 1.06}


class HibariEngine:
    """Makes one piece per sentence. The same text gives the same audio, every time."""

    languages = ("en",)

    def load(self) -> None:
        from hibari import Hibari  # type: ignore[import-untyped]  # noqa: PLC0415 - ships no types; slow, off the loop

        self._model: Any = Hibari()
        self._model("Warm up.")

    def utter(self, text: str, voice: str, language: str) -> Utterance:  # noqa: ARG002 - one language
        pitch = PITCH[voice]
        return Utterance(self._model.sample_rate * pitch, self._sentences(text, 1 / pitch))

    def _sentences(self, text: str, speed: float) -> Iterator["Samples"]:
        for sentence in self._model.split_sentences(text):
            yield from self._model.stream(sentence, speed=speed, seed=0)
