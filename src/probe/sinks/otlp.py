"""OpenTelemetry's wire format: spans to an export request, and where to send it.

The two transports are modules of their own, and only the one in use is imported. Neither is the SDK's exporter: that
one tells nobody what a collector rejected, and retries on its own account while we are told to shut down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as wire

from probe.record import RunRecord
from probe.sinks import genai
from probe.sinks.span_tree import Span, Value, spans

SERVICE = "voice-probe"
_KINDS = {"internal": wire.Span.SPAN_KIND_INTERNAL, "client": wire.Span.SPAN_KIND_CLIENT}
# Sampled, and we know that the parent is local.
_FLAGS = 0x01 | wire.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK


class UnavailableError(Exception):
    """The collector has not taken the spans and may do so later, at the earliest after `retry_after_s`."""

    def __init__(self, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The collector will never take these spans."""


class Collector(Protocol):
    """Where spans go."""

    def send(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        """Deliver a request once. Raises UnavailableError, RefusedError."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A collector's address. A URL without a path gets OTLP's own, `/v1/traces`, where the protocol is http.

    `headers` may hold secrets: they are not shown.
    """

    url: str
    protocol: Literal["http", "grpc"] = "http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 3.0


def collector(endpoint: Endpoint) -> Collector:
    """The transport that an endpoint asks for."""
    if endpoint.protocol == "grpc":
        from probe.sinks.otlp_grpc import GrpcCollector  # noqa: PLC0415 - 20 MB that HTTP need not pay

        return GrpcCollector(endpoint)
    from probe.sinks.otlp_http import HttpCollector  # noqa: PLC0415 - nor gRPC this

    return HttpCollector(endpoint)


def export_request(records: Iterable[RunRecord], version: str) -> ExportTraceServiceRequest:
    """The spans of some runs, as one request. What ran, where, or with which arguments is not told of the process."""
    resource = Resource(attributes=_attributes({genai.SERVICE_NAME: SERVICE, genai.SERVICE_VERSION: version}))
    encoded = [_span(span, bytes.fromhex(record.plan.trace_id)) for record in records for span in spans(record)]
    scope = wire.ScopeSpans(scope=InstrumentationScope(name=SERVICE, version=version), spans=encoded)
    return ExportTraceServiceRequest(resource_spans=[wire.ResourceSpans(resource=resource, scope_spans=[scope])])


def _span(span: Span, trace_id: bytes) -> wire.Span:
    attributes = dict(span.attributes)
    status = None
    if span.error is not None:
        attributes[genai.ERROR_TYPE] = span.error.type
        status = wire.Status(code=wire.Status.STATUS_CODE_ERROR, message=_text(span.error.detail))
    return wire.Span(
        trace_id=trace_id,
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id or ""),
        name=_text(span.name),
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.start,
        end_time_unix_nano=span.end,
        attributes=_attributes(attributes),
        events=[wire.Span.Event(name=event.name, time_unix_nano=event.at) for event in span.events],
        status=status,
        flags=_FLAGS,
    )


def _attributes(values: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=_text(value))
    return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))


def _text(text: str) -> str:
    """Half a character from a server's JSON can't be sent."""
    return text.encode("utf-8", "replace").decode()
