"""Questions to a chat server outside of a run: its users, its model, whether the model is loaded.

No two servers say it alike, and none says what it is: each is asked at the addresses that any of them has.
"""

import math
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from probe.protocols.base import Malformed
from probe.protocols.fields import MOST, one_line, parse_object
from probe.protocols.http_answers import about_base_url
from probe.protocols.inquiries import Inquiries, Inquiry
from probe.protocols.llama_slots import slots_at_work
from probe.protocols.ollama_pages import not_loaded, version
from probe.record import ServerIdentity, ServerPlan

# Requests that are being answered, and those that wait: of llama.cpp, of vLLM and, without a prefix, NIM, of SGLang.
_AT_WORK = frozenset(
    f"{prefix}{name}"
    for prefix, names in (
        ("llamacpp:", ("requests_processing", "requests_deferred")),
        ("vllm:", ("num_requests_running", "num_requests_waiting")),
        ("", ("num_requests_running", "num_requests_waiting")),
        ("sglang:", ("num_running_reqs", "num_queue_reqs")),
    )
    for name in names
)


def users(server: ServerPlan) -> Sequence[Inquiries[int | None]]:
    """llama.cpp's slots; the metrics of any other server."""
    slots = Inquiry(_beside(server, "/slots"), slots_at_work, server.headers)
    metrics = (Inquiry(url(server, "/metrics"), requests_at_work, server.headers) for url in (_beside, _below))
    return ((slots, *metrics),)


def identity(server: ServerPlan) -> Inquiries[ServerIdentity]:
    """llama.cpp's properties; the list of models, and the version, of any other server."""
    wanted = server.options.get("model")
    return (
        Inquiry(_beside(server, "/props"), properties, server.headers),
        Inquiry(_below(server, "/models"), lambda document: listed(document, wanted), server.headers),
        Inquiry(_beside(server, "/version"), version, server.headers),
        Inquiry(_beside(server, "/api/version"), version, server.headers),
    )


def cold(server: ServerPlan) -> Inquiries[bool | None]:
    """Ollama's list of what is loaded; the health of servers that load one model at their start."""
    wanted = server.options.get("model")
    statuses = (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)
    return (
        Inquiry(_beside(server, "/api/ps"), lambda document: not_loaded(document, wanted), server.headers),
        Inquiry(_beside(server, "/health"), still_loading, server.headers, statuses),
    )


def advice(server: ServerPlan) -> Inquiries[str | None]:
    """What is likely to be wrong with a URL below which there is not even a list of models."""
    found = about_base_url(f"{urlsplit(server.url).path.rstrip('/')}/chat/completions")
    if found is None:
        return ()
    return (Inquiry(_below(server, "/models"), lambda _document: found, server.headers, (HTTPStatus.NOT_FOUND,)),)


def requests_at_work(document: bytes) -> int | None:
    """How many requests run or wait, by a page of metrics; None where it does not say."""
    found = [value for line in document.splitlines() if (value := _value(line)) is not None]
    return round(min(sum(found), MOST)) if found else None


def properties(document: bytes) -> ServerIdentity:
    """llama.cpp's model and build, as far as the document names them."""
    props = _object(document)
    # Without an alias of its own a model goes by the path of its file.
    model = _text(props.get("model_alias")) or _text(props.get("model_path"))
    return ServerIdentity(None if model is None else PurePath(model).name, _text(props.get("build_info")))


def listed(document: bytes, wanted: str | None) -> ServerIdentity:
    """The model that is asked for, if the server lists it; else the only one that it lists."""
    models = _object(document).get("data")
    entries = [each for each in models if isinstance(each, dict)] if isinstance(models, list) else []
    names = [name for each in entries if (name := _text(each.get("id"))) is not None]
    return ServerIdentity(wanted if wanted in names else names[0] if len(names) == 1 and wanted is None else None)


def still_loading(document: bytes) -> bool | None:
    """Whether a server is still loading its model, by its health; None where that says something else."""
    if not document.strip():
        return False
    health = _object(document)
    if "loading" in str(health.get("error", "")).lower():
        return True
    return False if health.get("status") == "ok" else None


def _value(line: bytes) -> float | None:
    """The value of a sample of one of the metrics that count requests."""
    name, value = line.partition(b"{")[0].split(b" ", 1)[0], line.rpartition(b"}")[2].split()
    if name.decode("latin-1") not in _AT_WORK or not value:
        return None
    try:
        # Without labels the name stands before it.
        number = float(value[0] if b"}" in line else value[1])
    except (ValueError, IndexError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _beside(server: ServerPlan, path: str) -> str:
    """An address of the server itself, beside its API."""
    return _address(server, urlsplit(server.url).path.rstrip("/").removesuffix("/v1") + path)


def _below(server: ServerPlan, path: str) -> str:
    """An address of its API."""
    return _address(server, urlsplit(server.url).path.rstrip("/") + path)


def _address(server: ServerPlan, path: str) -> str:
    parts = urlsplit(server.url)
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def _object(document: bytes) -> dict[str, Any]:
    found = parse_object(document)
    return {} if isinstance(found, Malformed) else found


def _text(value: Any) -> str | None:
    return (one_line(value) or None) if isinstance(value, str) else None
