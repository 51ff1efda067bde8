"""Questions to an Ollama server, with either API: its version, its models, the loaded models."""

from collections.abc import Iterator
from typing import Any

from probe.protocols.base import Malformed
from probe.protocols.fields import one_line, parse_object
from probe.record import ServerIdentity


def not_loaded(document: bytes, wanted: str | None) -> bool | None:
    """Whether it has to load the model first, by `/api/ps`; None where this is no list of models, or none is wanted."""
    names = _names(document)
    return None if names is None or wanted is None else names.isdisjoint(_as_listed(wanted))


def has(document: bytes, wanted: str | None) -> ServerIdentity:
    """The model that is asked for, where `/api/ps` or `/api/tags` lists it."""
    listed = wanted is not None and not (_names(document) or set()).isdisjoint(_as_listed(wanted))
    return ServerIdentity(wanted if listed else None)


def version(document: bytes) -> ServerIdentity:
    """The build of a server that calls it its version."""
    found = parse_object(document)
    value = None if isinstance(found, Malformed) else found.get("version")
    return ServerIdentity(None, (one_line(value) or None) if isinstance(value, str) else None)


def _as_listed(name: str) -> tuple[str, str]:
    """How a list may spell a model: one without a tag has the tag `latest`."""
    return name, name if ":" in name else f"{name}:latest"


def _names(document: bytes) -> set[str] | None:
    found = parse_object(document)
    models = None if isinstance(found, Malformed) else found.get("models")
    return set(_each_name(models)) if isinstance(models, list) else None


def _each_name(models: list[Any]) -> Iterator[str]:
    for each in models:
        if isinstance(each, dict):
            yield from (name for key in ("name", "model") if isinstance(name := each.get(key), str))
