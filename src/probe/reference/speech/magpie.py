"""Magpie: the multilingual model that the servers in use speak with, through NVIDIA NeMo.

Written from NeMo's source and only ever run against a stand-in with the same interface: the weights want a GPU, and
no machine of this project has had one. The first real use is the test.

`do_tts` returns a whole utterance at once, so a segment is one piece: "stream" is no faster than "batch" here, and a
cancel lets the engine finish what it computes (nothing of it is sent).
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from probe.reference.speech.engine import LANGUAGES, SpeechError, Utterance

if TYPE_CHECKING:
    from probe.reference.speech.engine import Samples


class MagpieEngine:
    """`model` is a name on Hugging Face, fetched on first use, or a .nemo file; `speakers` its voices in their order.

    The order belongs to the checkpoint and is not in it: the checkpoints of 2025-12 and 2026-02 have VOICES' order,
    the one of 2026-07 the alphabetical one.
    """

    languages = LANGUAGES

    def __init__(self, model: str, speakers: Sequence[str]) -> None:
        self._name = model
        self._speakers = list(speakers)
        # Without the optional normaliser NeMo leaves digits as they are, and the model does not say them.
        self._spells_numbers = find_spec("nemo_text_processing") is not None

    def load(self) -> None:
        import torch  # type: ignore[import-not-found]  # noqa: PLC0415 - an optional extra, and slow
        from nemo.collections.tts.models import (  # type: ignore[import-not-found]  # noqa: PLC0415 - as above
            MagpieTTSModel,
        )

        device = "cuda" if torch.cuda.is_available() else "cpu"
        fetch = MagpieTTSModel.restore_from if self._name.endswith(".nemo") else MagpieTTSModel.from_pretrained
        self._model: Any = fetch(self._name, map_location=device).to(device).eval()
        baked = self._model.num_baked_speakers
        if baked < len(self._speakers):
            raise SpeechError(f"{self._name} has {baked} built-in voices, {len(self._speakers)} are needed")
        for _ in self.utter("Warm up.", self._speakers[0], "en").pieces:
            pass

    def utter(self, text: str, voice: str, language: str) -> Utterance:
        return Utterance(self._model.output_sample_rate, self._whole(text, self._speakers.index(voice), language))

    def _whole(self, text: str, speaker: int, language: str) -> Iterator["Samples"]:
        if not any(character.isalnum() for character in text):
            return  # the model babbles when it has nothing to say
        audio, lengths = self._model.do_tts(
            text, language=language, apply_TN=self._spells_numbers, speaker_index=speaker
        )
        yield audio[0, : int(lengths[0])].float().cpu().numpy()
