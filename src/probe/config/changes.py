"""The differences between two configurations, for a log: keys, and the values that are numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from probe.config import Config
from probe.config.errors import Key, dotted
from probe.config.target import ServerConfig, SpeechConfig, TargetConfig


def changes(old: Config, new: Config) -> list[str]:
    """Each key that is new, gone, or has another value; the values too where they are numbers: texts may be secret."""
    return [*_changes(_plain(old), _plain(new), ())]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], key: Key) -> Iterator[str]:
    for name in sorted({*old, *new}):
        here = (*key, name)
        if name not in new:
            yield f"{dotted(here)} removed"
        elif name not in old:
            yield f"{dotted(here)} added"
        elif isinstance(old[name], Mapping) and isinstance(new[name], Mapping):
            yield from _changes(old[name], new[name], here)
        elif old[name] != new[name]:
            yield dotted(here) + _from_to(old[name], new[name])


def _from_to(old: Any, new: Any) -> str:
    if not all(isinstance(each, int | float) for each in (old, new)):
        return ""
    return f" {_shown(old)} \N{RIGHTWARDS ARROW} {_shown(new)}"


def _shown(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.10g}"


def _plain(value: Any) -> Any:
    """Tables as they are written; everything else as it is, to be compared."""
    if isinstance(value, TargetConfig):
        tables = asdict(value)
        return _plain(tables.pop("servers") | tables)
    if isinstance(value, ServerConfig):
        common = {"protocol": value.protocol.name, "url": value.url, "headers": value.headers}
        return _plain(common | asdict(value.options))
    if isinstance(value, SpeechConfig):
        return _plain(value.server)
    if isinstance(value, Struct):
        return _plain(asdict(value))
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, Mapping) else value
