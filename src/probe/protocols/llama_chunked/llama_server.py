"""Questions to llama.cpp's own HTTP server: are its slots in use, and which model does it serve?"""

from pathlib import PurePath
from typing import Any

from probe.protocols.base import Malformed
from probe.protocols.fields import one_line, parse_object
from probe.record import ServerIdentity


def slots_url(url: str) -> str:
    """Where a llama.cpp server at this address reports its slots."""
    return f"{url.rstrip('/')}/slots"


def metrics_url(url: str) -> str:
    """Where a llama.cpp server at this address counts its requests, if it was started so."""
    return f"{url.rstrip('/')}/metrics"


def props_url(url: str) -> str:
    """Where a llama.cpp server at this address says what it serves."""
    return f"{url.rstrip('/')}/props"


def served(document: bytes) -> ServerIdentity:
    """The model and the build, as far as the document names them."""
    props = parse_object(document)
    if isinstance(props, Malformed):
        return ServerIdentity()
    # Without an alias of its own a model goes by the path of its file.
    model = _text(props.get("model_alias")) or _text(props.get("model_path"))
    return ServerIdentity(None if model is None else PurePath(model).name, _text(props.get("build_info")))


def _text(value: Any) -> str | None:
    return (one_line(value) or None) if isinstance(value, str) else None
