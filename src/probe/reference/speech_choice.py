"""Which engine speaks, as the command line names it; click.UsageError if it is not available."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe import extras

if TYPE_CHECKING:
    from probe.reference.speech.engine import Engine


def require(extra: str, *modules: str) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise click.UsageError(f"{', '.join(missing)} not installed; this installs it: `{extras.install(extra)}`")


def hibari() -> "Engine":
    require("reference", "hibari")
    from probe.reference.speech.hibari import HibariEngine  # noqa: PLC0415 - --help stays quick

    return HibariEngine()


def piper(voice_file: Path | None) -> "Engine":
    require("piper", "piper")
    from probe.reference.speech.engine import SpeechError  # noqa: PLC0415 - as above
    from probe.reference.speech.piper import PiperEngine  # noqa: PLC0415 - as above

    if voice_file is None:
        raise click.UsageError("--engine piper needs --piper-voice FILE.onnx")
    try:
        return PiperEngine(voice_file)
    except SpeechError as error:
        raise click.UsageError(str(error)) from error
