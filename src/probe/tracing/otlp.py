"""OpenTelemetry's wire format: spans to an export request. Spans and their encoding are the SDK's."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from probe.drift import Change
from probe.otlp.collector import Collector, Signal
from probe.otlp.resource import SERVICE, resource
from probe.record import RunRecord
from probe.tracing import genai
from probe.tracing.later import later_spans
from probe.tracing.span import Span, Value
from probe.tracing.spans import spans

# The change of latencies that was found with a run, and the names of what changed at the same time.
Found = tuple[Change | None, Sequence[str]]
FoundWith = Callable[[RunRecord], Found]
TRACES: Signal[ExportTraceServiceRequest, ExportTraceServiceResponse] = Signal(
    "/v1/traces",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ExportTraceServiceRequest.SerializeToString,
    ExportTraceServiceResponse.FromString,
)
SpanCollector = Collector[ExportTraceServiceRequest, ExportTraceServiceResponse]
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
_NOTHING: Mapping[str, str] = {}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def export_request(
    records: Iterable[RunRecord],
    version: str,
    found_with: FoundWith = lambda _record: (None, ()),
    attributes: Mapping[str, str] = _NOTHING,
) -> ExportTraceServiceRequest:
    """The spans of some runs, each with the change that was found with it, as one request.

    `attributes` are the sender's, of those that the configuration has.
    """
    found = [(record, spans(record, *found_with(record))) for record in records]
    return _request(found, version, attributes)


def later_request(
    records: Iterable[RunRecord], version: str, attributes: Mapping[str, str] = _NOTHING
) -> ExportTraceServiceRequest:
    """The spans of what happened after some runs."""
    return _request([(record, later_spans(record)) for record in records], version, attributes)


def _request(
    found: Iterable[tuple[RunRecord, Iterable[Span]]], version: str, attributes: Mapping[str, str]
) -> ExportTraceServiceRequest:
    sender = Resource(resource(version, attributes))
    scope = InstrumentationScope(SERVICE, version)
    return encode_spans(
        [
            _readable(span, int(record.plan.trace_id, 16), sender, scope)
            for record, spans_of_run in found
            for span in spans_of_run
        ]
    )


def _readable(span: Span, trace_id: int, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    attributes = _fitted(span.attributes)
    status = Status(StatusCode.UNSET)
    if span.error is not None:
        attributes[genai.ERROR_TYPE] = span.error.type
        status = Status(StatusCode.ERROR, _text(span.error.detail))
    return ReadableSpan(
        name=_text(span.name),
        context=_context(trace_id, span.span_id),
        parent=None if span.parent_id is None else _context(trace_id, span.parent_id),
        resource=resource,
        attributes=attributes,
        events=[Event(event.name, _fitted(event.attributes), event.at) for event in span.events],
        kind=_KINDS[span.kind],
        instrumentation_scope=scope,
        status=status,
        start_time=span.start,
        end_time=span.end,
    )


def _context(trace_id: int, span_id: str) -> SpanContext:
    return SpanContext(trace_id, int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)


def _fitted(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {key: _fit(value) for key, value in attributes.items()}


def _fit(value: Value) -> Value:
    if isinstance(value, str):
        return _text(value)
    return tuple(map(_text, value)) if isinstance(value, tuple) else value


def _text(text: str) -> str:
    """Half a character from a server's JSON can't be sent."""
    return text.encode("utf-8", "replace").decode()
