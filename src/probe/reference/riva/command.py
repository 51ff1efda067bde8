"""`probe serve riva`: its options, and bad input in one line."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.reference.hearing.engine import HearingError
from probe.reference.hearing_choice import hears, sphinx
from probe.reference.llm_command import SetupError, bound
from probe.reference.speech.engine import SpeechError
from probe.reference.speech_choice import hibari, piper, require

if TYPE_CHECKING:
    from probe.reference.hearing.engine import Recogniser
    from probe.reference.speech.engine import Engine

EPILOG = """\b
Examples:
  probe serve riva
  probe serve riva --engine piper \\
                   --piper-voice en_US-joe-medium.onnx
\b
Then, from another terminal:
  probe run --llm-url ... --tts-url grpc://127.0.0.1:50051
  curl http://127.0.0.1:9000/v1/audio/synthesize_online \\
       -F language=en-US -F text=Hello. -o hello.raw
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=50051, show_default=True, type=click.IntRange(0, 65535), help="Of gRPC; 0 takes a free port."
)
@click.option(
    "--http-port", default=9000, show_default=True, type=click.IntRange(0, 65535), help="Of HTTP; 0 takes a free one."
)
@click.option(
    "--engine",
    type=click.Choice(["hibari", "piper"]),
    default="hibari",
    show_default=True,
    help="Who speaks: hibari's English voice at five pitches, or a Piper voice file.",
)
@click.option(
    "--piper-voice",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.onnx",
    help="The voice that piper speaks with; FILE.onnx.json lies beside it.",
)
@click.option(
    "--silence-ms",
    default=500,
    show_default=True,
    type=click.IntRange(100, 5000),
    help="How much silence ends what a client says.",
)
def riva(*, host: str, port: int, http_port: int, engine: str, piper_voice: Path | None, silence_ms: int) -> None:
    """Run a speech server as NVIDIA's are: Riva's services over gRPC, and a NIM's paths over HTTP.

    SynthesizeOnline and Synthesize speak with the voices that GetRivaSynthesisConfig lists, such as
    Reference.EN-US.Aria, in 16-bit samples at the rate that is asked for; grpc.health.v1.Health says SERVING. POST
    /v1/audio/synthesize_online takes the same as a form; GET /v1/audio/list_voices, /v1/metadata and
    /v1/health/ready answer as a NIM does. It is no NIM, and nothing in it is NVIDIA's.

    StreamingRecognize hears English, if pocketsphinx is installed, one client at a time: a final result follows each
    part of the speech after --silence-ms of silence, and what is left at the end of the audio.

    Prints where it listens on stderr once it is warm. SIGINT or SIGTERM ends it.
    """
    require("reference", "aiohttp", "numpy", "soxr")
    speech = piper(piper_voice) if engine == "piper" else hibari()
    try:
        _serve(host, port, http_port, speech, sphinx(silence_ms))
    except OSError as error:
        raise SetupError(
            f"can't listen on {host}: {error.strerror}; choose another --host, --port or --http-port"
        ) from error
    except (SpeechError, HearingError) as error:
        raise click.ClickException(str(error)) from error
    # The interpreter would wait for the piece of speech that is being made.
    sys.stderr.flush()
    os._exit(0)


def _serve(host: str, port: int, http_port: int, engine: "Engine", recogniser: "Recogniser | None") -> None:
    from probe.reference.hearing.transcriber import Transcriber  # noqa: PLC0415 - --help stays quick
    from probe.reference.riva.server import serve  # noqa: PLC0415 - as above
    from probe.reference.riva.speech import SAMPLE_RATE  # noqa: PLC0415 - as above
    from probe.reference.speech.synthesizer import Synthesizer  # noqa: PLC0415 - as above

    if port:
        with bound(host, port):
            # Where it is taken, gRPC's library would say so on stderr in its own words.
            pass
    transcriber = None if recogniser is None else Transcriber(recogniser)

    def announce(grpc_url: str, http_url: str) -> None:
        _announce(grpc_url, http_url, hears(grpc_url, recogniser))

    with bound(host, http_port) as listener:
        asyncio.run(serve(host, port, listener, Synthesizer(engine, SAMPLE_RATE), announce, transcriber))


def _announce(grpc_url: str, http_url: str, hearing: str) -> None:
    click.echo(f"listening on {grpc_url} and {http_url}", err=True)
    click.echo(f"  probe run --llm-url ... --tts-url {grpc_url}", err=True)
    click.echo(f"  curl {http_url}/v1/audio/synthesize_online -F language=en-US -F text=Hello. -o hello.raw", err=True)
    click.echo(f"  {hearing}", err=True)
