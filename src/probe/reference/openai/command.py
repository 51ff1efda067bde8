"""`probe serve openai`: its options, and bad input in one line."""

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
  probe serve openai
  probe serve openai --model qwen3.gguf --voice leo
  probe serve openai --engine piper \\
                     --piper-voice en_US-joe-medium.onnx
\b
Then, from another terminal:
  probe run --llm-url http://127.0.0.1:8003/v1 \\
            --tts-url http://127.0.0.1:8003/v1
  curl http://127.0.0.1:8003/v1/chat/completions \\
       -d '{"messages":
            [{"role": "user", "content": "Hello!"}]}'
  curl http://127.0.0.1:8003/v1/audio/speech \\
       -o hello.wav \\
       -d '{"input": "Hello.", "voice": "aria"}'
"""


@click.command(epilog=EPILOG)
@engine_options
@click.option("--port", default=8003, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option("--slots", default=1, show_default=True, type=click.IntRange(1, 64), help="Chats at a time; others wait.")
def openai(
    *,
    host: str,
    port: int,
    model: Path | None,
    slots: int,
    ctx_size: int,
    threads: int,
    engine: str,
    piper_voice: Path | None,
    voice: str,
    verbose: bool,
) -> None:
    """Run an OpenAI-compatible server: chat by llama.cpp, speech by a real engine, on one port.

    POST /v1/chat/completions is llama.cpp's own server inside this process, its answers passed on byte for byte; so are
    GET /v1/models, /health, /slots, /props and /metrics. A client that leaves frees its slot.

    POST /v1/audio/speech sends audio as it is spoken, one request at a time: response_format wav (unless asked for
    another) or pcm, both 24 kHz, 16 bit, mono; stream_format audio or sse. GET /v1/audio/voices lists the voices.

    Prints where it listens on stderr once both are warm. SIGINT or SIGTERM ends it.
    """
    require("reference", "aiohttp", "numpy", "soxr", "xllamacpp")
    speech = piper(piper_voice) if engine == "piper" else hibari()
    from probe.reference.llama_embedded import embedded_llama  # noqa: PLC0415 - --help stays quick

    try:
        model = model or default_model()
        check_model(model)
        with (
            bound(host, port) as listener,
            embedded_llama(model, slots=slots, ctx_size=ctx_size, threads=threads, verbose=verbose) as url,
        ):
            _serve(listener, url, speech, voice)
    except ModelError as error:
        raise SetupError(str(error)) from error
    except OSError as error:
        raise SetupError(f"can't listen on {host}:{port}: {error.strerror}; choose another --host or --port") from error
    except SpeechError as error:
        raise click.ClickException(str(error)) from error
    # The interpreter would wait for the piece of speech that is being made.
    sys.stderr.flush()
    os._exit(0)


def _serve(listener: "socket.socket", llama_url: str, engine: "Engine", voice: str) -> None:
    from probe.reference.openai.server import application, serve  # noqa: PLC0415 - --help stays quick
    from probe.reference.openai.speech import SAMPLE_RATE  # noqa: PLC0415 - as above
    from probe.reference.speech.synthesizer import Synthesizer  # noqa: PLC0415 - as above

    synthesizer = Synthesizer(engine, SAMPLE_RATE)
    asyncio.run(serve(listener, synthesizer, application(llama_url, synthesizer, voice), _announce))


def _announce(address: str) -> None:
    url = f"http://{address}/v1"
    click.echo(f"listening on {url}", err=True)
    probe = click.get_current_context().find_root().obj or "probe"
    click.echo(f"  {probe} run --llm-url {url} --tts-url {url}", err=True)
    click.echo(f"""  curl {url}/audio/speech -o hello.wav -d '{{"input": "Hello."}}'""", err=True)
