"""A detector as bytes, and back: so that a restart changes nothing.

Every value is written as it is, object by object, and none is computed again: a detector that is read back goes on as
the one that was written would have. Bytes that are not whole, or of another version, are no state.
"""

import hashlib
import json
import zlib
from array import array
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from probe.drift.baseline import Baseline, Cell
from probe.drift.bursts import Contention
from probe.drift.change import Change, Moved, ServingChange, Shift
from probe.drift.cold import Cold
from probe.drift.episode import Episode
from probe.drift.evidence import Changed, Evidence
from probe.drift.fingerprint import Fingerprint
from probe.drift.habits import Gone, Habits
from probe.drift.monitor import Monitor
from probe.drift.noise import Noise, Restless
from probe.drift.ring import Ring
from probe.drift.texts import Texts, TextsOfStage

# To be raised whenever a detector of the version before would go on otherwise: a test compares what one is made of.
VERSION = 4
# A state of a series is a tenth of this: what is larger is none of ours.
MOST_BYTES = 20_000_000
_KINDS = {
    each.__name__: each
    for each in (
        Baseline, Cell, Changed, Cold, Contention, Episode, Evidence, Fingerprint, Gone, Habits, Monitor, Moved,
        Noise, Restless, Ring, ServingChange, Shift, Texts, TextsOfStage,
    )
}  # fmt: skip
_DIGEST = hashlib.sha256
_DIGEST_BYTES = 32


class StateError(ValueError):
    """These bytes are no state of a detector that this version can go on with; the message says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A detector that has seen a series up to the run `last_run`, and what it found with runs, by their id."""

    last_run: str
    monitor: Monitor
    found: Mapping[str, Change]


def encode(series: Sequence[str], kept: Kept) -> bytes:
    """The detector of a series; `series` is how it is called."""
    document = [VERSION, list(series), kept.last_run, _plain(kept.monitor), _plain(dict(kept.found))]
    body = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), level=1)
    return _DIGEST(body).digest() + body


def decode(data: bytes, series: Sequence[str]) -> Kept:
    """What was encoded of this series. Raises StateError."""
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if _DIGEST(body).digest() != digest:
        raise StateError("damaged")
    try:
        version, of, *rest = json.loads(zlib.decompressobj().decompress(body, MOST_BYTES))
        if version != VERSION:
            raise StateError(f"of version {version}, and not {VERSION}")
        if of != list(series):
            raise StateError("of another series")
        last_run, monitor, found = rest
        return Kept(last_run, _value(monitor), _value(found))
    except (zlib.error, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise error if isinstance(error, StateError) else StateError(f"not as it was written: {error}") from error


def shape() -> dict[str, list[str]]:
    """The names of what each kind of object holds."""
    monitor = Monitor()
    evidence = monitor._whole  # noqa: SLF001 - what is written of it
    shift = Shift(0, 0, "slower", monitor.stages[0], (), 1.0, (), ())
    made = (
        monitor, evidence, evidence.baseline, evidence.seen, Episode(shift, {}),
        Habits(), Restless(), Texts(), TextsOfStage(), Cold(), monitor._contention,  # noqa: SLF001 - as above
    )  # fmt: skip
    names = {name: sorted(_names(kind)) for name, kind in _KINDS.items()}
    return names | {type(each).__name__: sorted(vars(each)) for each in made}


def _names(of: Any) -> Sequence[str]:
    if is_dataclass(of):
        return [each.name for each in fields(of)]
    return getattr(of, "_fields", None) or list(getattr(of, "__dict__", ()))


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {"": "dict", "of": [[_plain(key), _plain(each)] for key, each in value.items()]}
        case deque():
            return {"": "deque", "of": [_plain(each) for each in value], "most": value.maxlen}
        case array():
            return {"": "array", "of": b64encode(value.tobytes()).decode(), "type": value.typecode}
        case bytearray():
            return {"": "bytes", "of": b64encode(value).decode()}
    name = type(value).__name__
    if type(value) is tuple:
        return {"": "tuple", "of": [_plain(each) for each in value]}
    if _KINDS.get(name) is not type(value):
        raise StateError(f"{name} is not kept")
    return {"": name} | {each: _plain(getattr(value, each)) for each in _names(value)}


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(each) for each in plain]
    if not isinstance(plain, dict):
        return plain
    kind = _KINDS.get(plain[""])
    if kind is None:
        return _CONTAINERS[plain[""]](plain)
    held = {name: _value(each) for name, each in plain.items() if name}
    if issubclass(kind, tuple) or is_dataclass(kind):
        return kind(**held)
    made = object.__new__(kind)
    made.__dict__.update(held)
    return made


def _array(plain: dict[str, Any]) -> "array[Any]":
    made: array[Any] = array(plain["type"])
    made.frombytes(b64decode(plain["of"]))
    return made


_CONTAINERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": lambda plain: {_value(key): _value(each) for key, each in plain["of"]},
    "deque": lambda plain: deque(map(_value, plain["of"]), maxlen=plain["most"]),
    "tuple": lambda plain: tuple(map(_value, plain["of"])),
    "array": _array,
    "bytes": lambda plain: bytearray(b64decode(plain["of"])),
}
