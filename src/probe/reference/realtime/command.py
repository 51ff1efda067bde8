"""`probe serve realtime`: its options, and bad input in one line."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.reference.engine_options import engine_options
from probe.reference.llm_command import SetupError, bound
from probe.reference.llm_model import ModelError, check_model, default_model
from probe.reference.speech.engine import SpeechError
from probe.reference.speech_choice import hibari, piper, require

if TYPE_CHECKING:
    import socket

    from probe.reference.speech.engine import Engine

EPILOG = """\b
Examples:
  probe serve realtime
  probe serve realtime --sessions 4 --voice leo
\b
Then, in a configuration:
  [targets.agent.agent]
  url = "ws://127.0.0.1:8004/v1/realtime"
"""


@click.command(epilog=EPILOG)
@engine_options
@click.option("--port", default=8004, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option(
    "--understood",
    default="Tell me a joke about a unicorn.",
    show_default=True,
    help="What it understands, whatever is said: it recognises no speech.",
)
@click.option(
    "--sessions", default=1, show_default=True, type=click.IntRange(1, 64), help="At a time; others are turned away."
)
def realtime(
    *,
    host: str,
    port: int,
    model: Path | None,
    understood: str,
    sessions: int,
    ctx_size: int,
    threads: int,
    engine: str,
    piper_voice: Path | None,
    voice: str,
    verbose: bool,
) -> None:
    """Run an agent behind the OpenAI Realtime protocol: llama.cpp and a real speech engine, asked in text or by voice.

    ws://HOST:PORT/v1/realtime speaks both dialects: that of 2025, or the one before where a client sends
    OpenAI-Beta: realtime=v1. It takes session.update, conversation.item.create with text, response.create and
    response.cancel, shows each token of the answer (transcript) and speaks each sentence, 16-bit PCM at 24 kHz.

    Of audio (input_audio_buffer.append, the same form) it finds the begin and the end by energy, unless
    turn_detection is null, and then takes it for --understood. Speech into an answer ends that. GET /health says how
    many sessions are free.

    Prints where it listens on stderr once both engines are warm. SIGINT or SIGTERM ends it.
    """
    require("reference", "aiohttp", "numpy", "soxr", "xllamacpp")
    speech = piper(piper_voice) if engine == "piper" else hibari()
    from probe.reference.llama_embedded import embedded_llama  # noqa: PLC0415 - --help stays quick

    try:
        model = model or default_model()
        check_model(model)
        with (
            bound(host, port) as listener,
            embedded_llama(model, slots=sessions, ctx_size=ctx_size, threads=threads, verbose=verbose) as url,
        ):
            _serve(listener, url, speech, voice, model.stem, sessions, understood)
    except ModelError as error:
        raise SetupError(str(error)) from error
    except OSError as error:
        raise SetupError(f"can't listen on {host}:{port}: {error.strerror}; choose another --host or --port") from error
    except SpeechError as error:
        raise click.ClickException(str(error)) from error
    # The interpreter would wait for the piece of speech that is being made.
    sys.stderr.flush()
    os._exit(0)


def _serve(
    listener: "socket.socket", llama_url: str, engine: "Engine", voice: str, model: str, sessions: int, understood: str
) -> None:
    from probe.reference.openai.server import serve  # noqa: PLC0415 - --help stays quick
    from probe.reference.realtime.server import application  # noqa: PLC0415 - as above
    from probe.reference.realtime.settings import SAMPLE_RATE  # noqa: PLC0415 - as above
    from probe.reference.speech.synthesizer import Synthesizer  # noqa: PLC0415 - as above

    synthesizer = Synthesizer(engine, SAMPLE_RATE)
    built = application(llama_url, synthesizer, voice, model, sessions, understood)
    asyncio.run(serve(listener, synthesizer, built, _announce))


def _announce(address: str) -> None:
    click.echo(f"listening on ws://{address}/v1/realtime", err=True)
