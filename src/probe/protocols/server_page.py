"""What LLM servers report of themselves on their page of metrics, each in names of its own."""

from dataclasses import dataclass
from functools import partial

from probe.prometheus_text import amount, samples, total
from probe.protocols.fields import MOST
from probe.server_state import ServerState

Names = tuple[str, ...]
# A server has a sample per engine. The event loop waits while they are read.
_MOST_SAMPLES = 128
# As Prometheus' client libraries name it.
_STARTED = "process_start_time_seconds"
_total, _amount = partial(total, most=_MOST_SAMPLES), partial(amount, most=_MOST_SAMPLES)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """The names of one server's metrics; of several for the same thing the newest first."""

    running: str
    waiting: str
    cache_used: Names = ()
    queue: str = ""
    ttft: str = ""
    looked_up: Names = ()
    found: Names = ()


_VLLM = _Dialect(
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    cache_used=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    queue="vllm:request_queue_time_seconds",
    ttft="vllm:time_to_first_token_seconds",
    looked_up=("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"),
    found=("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
)
_DIALECTS = (
    _Dialect("llamacpp:requests_processing", "llamacpp:requests_deferred", ("llamacpp:kv_cache_usage_ratio",)),
    _VLLM,
    # NIM: vLLM's without a prefix.
    _Dialect(
        "num_requests_running", "num_requests_waiting", ("gpu_cache_usage_perc",),
        ttft="time_to_first_token_seconds",
    ),
    _Dialect(
        "sglang:num_running_reqs", "sglang:num_queue_reqs", ("sglang:token_usage",),
        ttft="sglang:time_to_first_token_seconds",
    ),
)  # fmt: skip


def state(page: bytes) -> ServerState | None:
    """What the page says of the server; None where it says nothing of requests."""
    for each in _DIALECTS:
        running, waiting = _count(_total(page, each.running)), _count(_total(page, each.waiting))
        if running is not None or waiting is not None:
            return _with_the_rest(ServerState(running, waiting), page, each)
    return None


def _with_the_rest(found: ServerState, page: bytes, names: _Dialect) -> ServerState:
    return ServerState(
        running=found.running,
        waiting=found.waiting,
        cache_used=_share(page, names.cache_used),
        queue_s=_positive(page, *_of(names.queue, "sum")),
        queued=_positive(page, *_of(names.queue, "count")),
        first_token_s=_positive(page, *_of(names.ttft, "sum")),
        begun=_positive(page, *_of(names.ttft, "count")),
        looked_up=_positive(page, *names.looked_up),
        found=_positive(page, *names.found),
        started=max((each.value for each in samples(page, _STARTED, _MOST_SAMPLES) if each.value > 0), default=None),
    )


def _share(page: bytes, names: Names) -> float | None:
    """Of one engine; of several neither a sum nor a mean says how full any of them is."""
    found = next((values for name in names if (values := samples(page, name))), [])
    return found[0].value if len(found) == 1 and 0 <= found[0].value <= 1 else None


def _of(histogram: str, part: str) -> Names:
    return (f"{histogram}_{part}",) if histogram else ()


def _positive(page: bytes, *names: str) -> float | None:
    value = _amount(page, *names)
    return value if value is not None and value >= 0 else None


def _count(value: float | None) -> int | None:
    return None if value is None or value < 0 else round(min(value, MOST))
