"""OpenTelemetry's wire format: spans to an export request, and where to send it.

Spans and their encoding are the SDK's. The two transports are modules of our own: the SDK's exporters do not report
what a collector rejected, and go on retrying while the daemon is shutting down.
"""

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from probe.drift import Change
from probe.record import RunRecord
from probe.tracing import genai
from probe.tracing.collector import Collector, Endpoint
from probe.tracing.otlp_http import HttpCollector
from probe.tracing.span import Span, Value
from probe.tracing.spans import spans

SERVICE = "voice-probe"
FoundWith = Callable[[str], Change | None]
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def collector(endpoint: Endpoint) -> Collector:
    """The transport that an endpoint asks for."""
    if endpoint.protocol == "grpc":
        from probe.tracing.otlp_grpc import GrpcCollector  # noqa: PLC0415 - 8 MB and 30 ms that only gRPC needs

        return GrpcCollector(endpoint)
    return HttpCollector(endpoint)


def export_request(
    records: Iterable[RunRecord], version: str, found_with: FoundWith = lambda _run_id: None
) -> ExportTraceServiceRequest:
    """The spans of some runs, each with the change that was found with it, as one request.

    The resource is the service alone: no host, process or command line.
    """
    resource = Resource({genai.SERVICE_NAME: SERVICE, genai.SERVICE_VERSION: version})
    scope = InstrumentationScope(SERVICE, version)
    return encode_spans(
        [
            _readable(span, int(record.plan.trace_id, 16), resource, scope)
            for record in records
            for span in spans(record, found_with(record.plan.run_id))
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
