"""llama.cpp inside this process: its own HTTP server on a free loopback port."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xllamacpp  # type: ignore[import-untyped]  # ships no type information

from probe.reference.llm_model import ModelError

ALL_LOGS, NO_LOGS = 3, -1
WARM_UP_PROMPT = "The first words take longer than those after them. " * 8


@contextmanager
def embedded_llama(model: Path, *, slots: int, ctx_size: int, threads: int, verbose: bool) -> Iterator[str]:
    """Yield the URL of llama.cpp running `model`, warm, with `ctx_size` tokens a slot."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = ctx_size * slots
    params.n_parallel = slots
    params.cache_ram_mib = 0  # its cache of old prompts grows to 8 GB; a slot's own KV cache is all we need
    params.endpoint_metrics = True
    params.ui = False
    params.verbosity = ALL_LOGS if verbose else NO_LOGS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    server = _load(params, slots)
    try:
        yield server.listening_address
    finally:
        del server


def _load(params: xllamacpp.CommonParams, slots: int) -> xllamacpp.Server:
    # llama.cpp keeps the interpreter's lock while it loads, so a handler written in Python would come too late.
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        server = xllamacpp.Server(params)
        for slot in range(slots):
            server.handle_completions({"prompt": WARM_UP_PROMPT, "max_tokens": 1, "id_slot": slot})
    except RuntimeError as error:
        raise ModelError(f"llama.cpp can't load {params.model.path}; --verbose shows its reasons") from error
    finally:
        signal.signal(signal.SIGINT, handler)
    return server
