"""Which recogniser a reference server hears with, if any is installed, and what its start says about it."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from probe import extras

if TYPE_CHECKING:
    from probe.reference.hearing.engine import Recogniser


def sphinx(silence_ms: int) -> "Recogniser | None":
    """PocketSphinx, for which the speech is over after so much silence; None where it is not installed."""
    if find_spec("pocketsphinx") is None:
        return None
    from probe.reference.hearing.sphinx import SphinxRecogniser  # noqa: PLC0415 - --help stays quick

    return SphinxRecogniser(silence_ms)


def hears(url: str, recogniser: "Recogniser | None") -> str:
    """Whether a server at this URL hears, and how a target has it."""
    if recogniser is None:
        return f"it hears nothing, as pocketsphinx is not installed; this installs it: `{extras.install('stt')}`"
    return f'it hears, too: url = "{url}" in [targets.NAME.stt]'
