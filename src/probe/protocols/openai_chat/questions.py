"""Questions to a chat server outside of a run: its users, its model, whether the model is loaded.

No two servers say it alike, and none says what it is: each is asked at the addresses that any of them has.
"""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from probe.plan import ServerPlan
from probe.protocols import server_page
from probe.protocols.base import Malformed
from probe.protocols.fields import one_line, parse_object
from probe.protocols.http_answers import about_base_url
from probe.protocols.inquiries import Inquiries, Inquiry, Sign
from probe.protocols.llama_slots import slots
from probe.protocols.ollama_pages import not_loaded, version
from probe.protocols.openai_models import chatting
from probe.record import ServerIdentity
from probe.server_state import ServerState


def users(server: ServerPlan) -> Sequence[Inquiries[ServerState | None]]:
    """The metrics of any server, which say most; llama.cpp's slots, where it shows no metrics."""
    beside, below = (Inquiry(url(server, "/metrics"), server_page.state, server.headers) for url in (_beside, _below))
    return ((beside, Inquiry(_beside(server, "/slots"), slots, server.headers), below),)


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


def signs(server: ServerPlan) -> Inquiries[Sign | None]:
    """llama.cpp's properties, or a list with a model to chat with."""
    return (
        Inquiry(_beside(server, "/props"), llama, server.headers),
        Inquiry(_below(server, "/models"), chatting, server.headers),
    )


def llama(document: bytes) -> Sign | None:
    """llama.cpp, by its properties; None where these are not."""
    props = _object(document)
    if "default_generation_settings" not in props and "model_path" not in props:
        return None
    # Its list of models has the name that it answers to.
    return Sign("llama.cpp", properties(document).build)


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
