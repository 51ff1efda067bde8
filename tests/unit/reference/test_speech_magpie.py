"""The Magpie engine against a stand-in with NeMo's interface: the weights are not available here."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from probe.reference.speech.engine import VOICES, SpeechError
from probe.reference.speech.magpie import MagpieEngine

MODEL = "nvidia/magpie_tts_multilingual_357m"


class StandInTensor:
    """As much of a torch tensor as an audio batch needs."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __getitem__(self, key: Any) -> "StandInTensor":
        return StandInTensor(self.values[key])

    def __int__(self) -> int:
        return int(self.values)

    def float(self) -> "StandInTensor":
        return StandInTensor(self.values.astype(np.float32))

    def cpu(self) -> "StandInTensor":
        return self

    def numpy(self) -> Any:
        return self.values


class StandInModel:
    """`MagpieTTSModel`: 100 samples a character, padded as a batch is."""

    num_baked_speakers = 5
    output_sample_rate = 22050

    def __init__(self, origin: tuple[str, str, str]) -> None:
        self.origin = origin
        self.device = ""
        self.training = True
        self.asked: list[dict[str, object]] = []

    @classmethod
    def from_pretrained(cls, model_name: str, map_location: str) -> "StandInModel":
        return cls(("from_pretrained", model_name, map_location))

    @classmethod
    def restore_from(cls, restore_path: str, map_location: str) -> "StandInModel":
        return cls(("restore_from", restore_path, map_location))

    def to(self, device: str) -> "StandInModel":
        self.device = device
        return self

    def eval(self) -> "StandInModel":
        self.training = False
        return self

    def do_tts(
        self,
        transcript: str,
        language: str = "en",
        apply_TN: bool = False,  # noqa: N803 - NeMo's name
        use_cfg: bool = True,
        speaker_index: int | None = None,
    ) -> tuple[StandInTensor, StandInTensor]:
        self.asked.append(
            {"text": transcript, "language": language, "spell": apply_TN, "cfg": use_cfg, "speaker": speaker_index}
        )
        length = 100 * len(transcript)
        audio = np.full((1, length + 7), 0.5, np.float64)
        return StandInTensor(audio), StandInTensor([length])


@pytest.fixture(autouse=True)
def nemo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nemo", "nemo.collections", "nemo.collections.tts"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    models = SimpleNamespace(MagpieTTSModel=StandInModel)
    monkeypatch.setitem(sys.modules, "nemo.collections.tts.models", models)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False)))


def loaded(model: str = MODEL, speakers: tuple[str, ...] = VOICES) -> MagpieEngine:
    engine = MagpieEngine(model, speakers)
    engine.load()
    return engine


@pytest.mark.parametrize(("model", "loader"), [(MODEL, "from_pretrained"), ("/models/magpie.nemo", "restore_from")])
def test_a_name_is_fetched_and_a_file_restored(model: str, loader: str) -> None:
    nemo_model = loaded(model)._model
    assert nemo_model.origin == (loader, model, "cpu")
    assert nemo_model.device == "cpu"
    assert not nemo_model.training


def test_loading_speaks_once_to_warm_up() -> None:
    assert [call["text"] for call in loaded()._model.asked] == ["Warm up."]


def test_an_utterance_is_one_piece_without_the_batchs_padding() -> None:
    utterance = loaded().utter("Bonjour.", "sofia", "fr")
    pieces = list(utterance.pieces)
    assert utterance.rate == 22050
    assert [(piece.shape, piece.dtype) for piece in pieces] == [((800,), np.dtype(np.float32))]


@pytest.mark.parametrize(("speakers", "index"), [(VOICES, 2), (("aria", "jason", "john", "leo", "sofia"), 0)])
def test_a_voice_is_its_place_in_the_checkpoint(speakers: tuple[str, ...], index: int) -> None:
    engine = loaded(speakers=speakers)
    list(engine.utter("Hello.", "aria", "de").pieces)
    assert engine._model.asked[-1] == {
        "text": "Hello.",
        "language": "de",
        "spell": False,
        "cfg": True,
        "speaker": index,
    }


def test_nothing_speakable_never_reaches_the_model() -> None:
    engine = loaded()
    assert list(engine.utter("** ...", "aria", "en").pieces) == []
    assert len(engine._model.asked) == 1


def test_a_checkpoint_without_five_voices_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StandInModel, "num_baked_speakers", 1)
    with pytest.raises(SpeechError, match="1 built-in voices"):
        loaded()
