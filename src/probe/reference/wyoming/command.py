"""`probe serve wyoming`: its options, and bad input in one line."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.reference.hearing.engine import HearingError
from probe.reference.hearing_choice import hears, sphinx
from probe.reference.llm_command import SetupError, bound
from probe.reference.speech.engine import VOICES, SpeechError
from probe.reference.speech_choice import hibari, piper, require

if TYPE_CHECKING:
    import socket

    from probe.reference.hearing.engine import Recogniser
    from probe.reference.speech.engine import Engine

EPILOG = """\b
Examples:
  probe serve wyoming
  probe serve wyoming --engine piper \\
                      --piper-voice en_US-joe-medium.onnx
\b
Then, from another terminal:
  probe run --tts-url tcp://127.0.0.1:10200
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=10200, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option(
    "--engine", type=click.Choice(["hibari", "piper"]), default="hibari", show_default=True,
    help="Who speaks: hibari's English voice at five pitches, or a Piper voice file.",
)  # fmt: skip
@click.option(
    "--piper-voice", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.onnx",
    help="The voice that piper speaks with; FILE.onnx.json lies beside it.",
)  # fmt: skip
@click.option(
    "--voice",
    type=click.Choice(VOICES),
    default="aria",
    show_default=True,
    help="Who speaks where a text names nobody.",
)
@click.option(
    "--silence-ms", default=500, show_default=True, type=click.IntRange(100, 5000),
    help="How much silence ends what a client says.",
)  # fmt: skip
@click.option("--whole-only", is_flag=True, help="Be an older server, which takes no streams of text.")
def wyoming(
    *, host: str, port: int, engine: str, piper_voice: Path | None, voice: str, silence_ms: int, whole_only: bool
) -> None:
    """Run a TTS and STT server of Home Assistant's protocol, Wyoming: real speech over plain TCP.

    A text comes whole (synthesize) or as a stream (synthesize-start, -chunk, -stop), which is cut into sentences, each
    spoken as soon as the next one begins: 22050 Hz, 16 bit, mono, 1024 samples at a time. describe is answered with
    info, an unknown voice with an error.

    It hears English, if pocketsphinx is installed: 16-bit mono audio of any rate, from audio-start to audio-stop, is
    answered with a transcript. voice-stopped says that the speech is over, after --silence-ms of silence. One client is
    heard at a time.

    Prints where it listens on stderr once it is warm. SIGINT or SIGTERM ends it.
    """
    require("reference", "numpy", "soxr")
    speech = piper(piper_voice) if engine == "piper" else hibari()
    try:
        with bound(host, port) as listener:
            _serve(listener, speech, voice, sphinx(silence_ms), streaming=not whole_only)
    except OSError as error:
        raise SetupError(f"can't listen on {host}:{port}: {error.strerror}; choose another --host or --port") from error
    except (SpeechError, HearingError) as error:
        raise click.ClickException(str(error)) from error
    # The interpreter would wait for the piece of speech that is being made.
    sys.stderr.flush()
    os._exit(0)


def _serve(
    listener: "socket.socket", engine: "Engine", voice: str, recogniser: "Recogniser | None", *, streaming: bool
) -> None:
    from probe.reference.hearing.transcriber import Transcriber  # noqa: PLC0415 - --help stays quick
    from probe.reference.speech.synthesizer import Synthesizer  # noqa: PLC0415 - as above
    from probe.reference.wyoming.server import SAMPLE_RATE, serve  # noqa: PLC0415 - as above

    def announce(url: str) -> None:
        click.echo(f"listening on {url}", err=True)
        click.echo(f"  probe run --tts-url {url}", err=True)
        click.echo(f"  {hears(url, recogniser)}", err=True)

    transcriber = None if recogniser is None else Transcriber(recogniser)
    speaks = Synthesizer(engine, SAMPLE_RATE)
    asyncio.run(serve(listener, speaks, voice, announce, transcriber=transcriber, streaming=streaming))
