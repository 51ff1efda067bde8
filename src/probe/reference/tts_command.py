"""`probe serve tts`."""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.reference.speech_choice import hibari, piper, require

if TYPE_CHECKING:
    from probe.reference.speech.engine import Engine
    from probe.reference.tts_connection import StreamFactory
    from probe.reference.tts_server import Service

MAGPIE = "nvidia/magpie_tts_multilingual_357m"


@click.command()
@click.option("--engine", type=click.Choice(["hibari", "piper", "magpie"]), default="hibari", show_default=True)
@click.option(
    "--piper-voice",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.onnx",
    help="The voice that piper speaks with; FILE.onnx.json lies beside it.",
)
@click.option(
    "--magpie-model",
    default=MAGPIE,
    show_default=True,
    metavar="NAME|FILE.nemo",
    help="A name is downloaded on first use.",
)
@click.option(
    "--magpie-speakers",
    default="john,sofia,aria,jason,leo",
    show_default=True,
    metavar="NAMES",
    help="The checkpoint's voices in its own order; that of July 2026 has them alphabetically.",
)
@click.option(
    "--generation",
    type=click.Choice(["newer", "older"]),
    default="newer",
    show_default=True,
    help="Which version of the server to behave like.",
)
@click.option(
    "--target-audio-ms",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="older: speak when the texts so far are this long,at 400 ms per word.",
)
@click.option("--sample-rate", type=click.IntRange(8000, 48000), default=22000, show_default=True, help="In Hz.")
@click.option(
    "--idle-timeout-s",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Drop a stream after this long without requests and audio.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8001, show_default=True, help="0 selects a free port.")
def tts(
    *,
    engine: str,
    piper_voice: Path | None,
    magpie_model: str,
    magpie_speakers: str,
    generation: str,
    target_audio_ms: int,
    sample_rate: int,
    idle_timeout_s: float,
    host: str,
    port: int,
) -> None:
    """Run a TTS server: real speech over the WebSocket protocol of the servers in use.

    Prints "listening on ws://HOST:PORT/ws/tts/stream" on stderr, then loads the engine; GET /health says "healthy"
    once it is warm. GET /v1/audio/config and the OpenAI-compatible POST /v1/audio/speech (pcm or wav) are there too.
    SIGINT or SIGTERM ends it.

    \b
    Engines (voices: john, sofia, aria, jason, leo):
      hibari  English, on a CPU. One voice; the five names are
              five pitches of it.
      piper   Any Piper voice file: its language, its first
              five speakers. With one speaker, all five names
              sound the same.
      magpie  The model of the servers in use, through
              NVIDIA NeMo, all seven languages. Never run with
              its weights by this project: only against a
              stand-in with the same interface.
    Another language than the engine's is a fatal error.

    \b
    Versions:
      newer   Each text is a segment, its end is marked,
              `mode: "stream"` sends each sentence as it is
              ready, a connection takes many streams.
      older   Texts gather until --target-audio-ms, segments
              end without a mark, and the connection drops
              after `done`.

    \b
    Examples:
      probe serve tts
      probe serve tts --generation older --port 8011
      probe serve tts --engine piper \\
                      --piper-voice en_US-joe-medium.onnx
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    require("reference", "aiohttp", "numpy", "soxr")
    match engine:
        case "piper":
            speech = piper(piper_voice)
        case "magpie":
            speech = _magpie(magpie_model, magpie_speakers)
        case _:
            speech = hibari()
    streams = _streams(generation, sample_rate, target_audio_ms)
    _serve(_service(speech, streams, sample_rate, idle_timeout_s), host, port)


def _magpie(model: str, speakers: str) -> "Engine":
    require("magpie", "nemo", "torch")
    from probe.reference.speech.engine import VOICES  # noqa: PLC0415 - as above
    from probe.reference.speech.magpie import MagpieEngine  # noqa: PLC0415 - as above

    if model.endswith(".nemo") and not Path(model).is_file():
        raise click.UsageError(f"--magpie-model: there is no file {model}")
    if sorted(speakers.split(",")) != sorted(VOICES):
        raise click.UsageError(f"--magpie-speakers must name each of {', '.join(VOICES)} once")
    return MagpieEngine(model, speakers.split(","))


def _streams(generation: str, sample_rate: int, target_audio_ms: int) -> "StreamFactory":
    from probe.reference.tts_stream import NewerStream, OlderStream  # noqa: PLC0415 - as above

    if generation == "older":
        return partial(OlderStream, sample_rate=sample_rate, target_audio_ms=target_audio_ms)
    return partial(NewerStream, sample_rate=sample_rate)


def _service(engine: "Engine", streams: "StreamFactory", sample_rate: int, idle_s: float) -> "Service":
    from probe.reference.speech.synthesizer import Synthesizer  # noqa: PLC0415 - as above
    from probe.reference.tts_server import Service  # noqa: PLC0415 - as above

    return Service(Synthesizer(engine, sample_rate), streams, idle_s)


def _serve(service: "Service", host: str, port: int) -> None:
    from probe.reference.speech.engine import SpeechError  # noqa: PLC0415 - as above
    from probe.reference.tts_server import run  # noqa: PLC0415 - as above

    try:
        asyncio.run(run(service, host, port, announce=partial(click.echo, err=True)))
    except OSError as error:
        raise click.UsageError(
            f"can't listen on {host}:{port} (--port 0 takes a free port): {error.strerror}"
        ) from error
    except SpeechError as error:
        raise click.ClickException(str(error)) from error
    # The interpreter would wait for the piece of speech that is being made, or for the model to be loaded.
    sys.stderr.flush()
    os._exit(0)
