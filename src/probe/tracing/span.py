"""One span, and what it is made of. Frozen values; what they mean on the wire is for `otlp.py` to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = str | bool | int | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A moment within a span, in nanoseconds since the epoch."""

    name: str
    at: int
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanError:
    """Why a span failed: a reason, or the convention's word for an unknown one, and a sentence for a person."""

    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Span:
    """One span; ids are lower-case hexadecimal, times nanoseconds since the epoch."""

    name: str
    span_id: str
    parent_id: str | None
    kind: Literal["internal", "client"]
    start: int
    end: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    error: SpanError | None = None
