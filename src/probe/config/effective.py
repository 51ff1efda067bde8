"""Every setting in effect, without secrets, and warnings about values that are allowed but make no sense."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct, structs

from probe import urls
from probe.config import Config, OtlpConfig, PauseConfig, ScheduleConfig
from probe.config.errors import dotted
from probe.config.leaf import Secret
from probe.config.target import LimitsConfig, ServerConfig, SpeechConfig, TargetConfig
from probe.protocols.registry import hearing

_HIDDEN = "…"
# Waits of a run: of a target that is asked in text, and of one that hears.
_OF_TEXT = ("connect_s", "llm_s", "tts_s")
_WAITS = ("connect_s", "stt_s", "llm_s", "tts_s")


class _Value(dict[str, Any]):
    """A table that is written in one line: a pause, headers, what a server is sent besides."""


def document(settings: Config) -> dict[str, Any]:
    """Every setting with its value, defaults included, as tables and JSON values; None where there is no value."""
    plain: dict[str, Any] = _plain(settings)
    return plain


def toml_lines(tables: Mapping[str, Any], key: tuple[str, ...] = ()) -> Iterator[str]:
    """The tables as TOML. What has no value stands there as a comment, as TOML has no way to write that."""
    values = {name: value for name, value in tables.items() if not _is_table(value)}
    if key and (values or not tables):
        yield f"[{dotted(key)}]"
    for name, value in values.items():
        yield f"# {dotted((name,))} is not set" if value is None else f"{dotted((name,))} = {_written(value)}"
    if values:
        yield ""
    for name, value in tables.items():
        if _is_table(value):
            yield from toml_lines(value, (*key, name))


def warnings(settings: Config) -> Iterator[str]:
    """Warnings about values that make no sense, one line each, with the key."""
    for name, target in settings.targets.items():
        for wait in _WAITS if hearing(target.record(name)) else _OF_TEXT:
            yield from _over_the_run(f"{dotted(('targets', name))}.limits", wait, target.limits)
        for exporter, url in target.exporters.record().items():
            if urlsplit(url).path in ("", "/"):
                key = dotted(("targets", name, "exporters", exporter))
                yield f"{key} ({urls.shown(url)}) has no path: the page of an exporter is usually /metrics"
    yield from _without_room(settings)


def _without_room(settings: Config) -> Iterator[str]:
    """A transcription begins only where it can end before the next run is due."""
    chosen = settings.intelligibility
    for name, schedule in settings.schedules.items():
        if chosen.stt is not None and schedule.cron is None and schedule.every_s <= chosen.timeout_s:
            key = f"{dotted(('schedules', name))}.every_s"
            why = f"leaves no room between runs: {key} is {schedule.every_s:g}"
            yield f"intelligibility.timeout_s ({chosen.timeout_s:g}) {why}"


def _over_the_run(place: str, wait: str, limits: LimitsConfig) -> Iterator[str]:
    value = getattr(limits, wait)
    if value > limits.run_s:
        yield f"{place}.{wait} ({value:g}) is over run_s ({limits.run_s:g}), which ends the run before"


def _plain(value: Any) -> Any:
    match value:
        case Struct():
            return _plain_section(value)
        case Mapping():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case Secret():
            return _HIDDEN
        case str():
            return urls.shown(value)
        case Path():
            return str(value)
    return value


def _plain_section(section: Struct) -> dict[str, Any]:
    table = structs.asdict(section)
    match section:
        case ServerConfig():
            own = structs.asdict(section.options)
            return _values({"protocol": section.protocol.name, "url": section.url, "headers": section.headers} | own)
        case SpeechConfig():
            return _plain_section(section.server)
        case TargetConfig():
            table = {**table.pop("servers"), **table}
        case ScheduleConfig() if section.cron is not None:
            table["every_s"] = None
        case OtlpConfig():
            return _values(table)
    plain: dict[str, Any] = _plain(table)
    return _Value(plain) if isinstance(section, PauseConfig) else plain


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """A section without sections of its own."""
    plain = {name: _plain(value) for name, value in table.items()}
    return {name: _Value(value) if isinstance(value, dict) else value for name, value in plain.items()}


def _is_table(value: Any) -> bool:
    """Whether it gets a header of its own."""
    return isinstance(value, dict) and not isinstance(value, _Value)


def _written(value: Any) -> str:
    """A value in TOML, whose syntax is JSON's except for tables."""
    if isinstance(value, dict):
        items = ", ".join(f"{dotted((name,))} = {_written(each)}" for name, each in value.items() if each is not None)
        return f"{{ {items} }}" if items else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False)
