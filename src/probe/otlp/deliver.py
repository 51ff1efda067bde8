"""The transport that an endpoint asks for.

Both are modules of our own: the exporters of OpenTelemetry's SDK do not report what a collector rejected, and go on
retrying while the daemon is shutting down.
"""

from probe.otlp.collector import Collector, Endpoint, Request, Response, Signal
from probe.otlp.http import HttpCollector


def collector(endpoint: Endpoint, signal: Signal[Request, Response]) -> Collector[Request, Response]:
    """The collector at this endpoint, to which this signal is sent."""
    if endpoint.protocol == "grpc":
        from probe.otlp.grpc import GrpcCollector  # noqa: PLC0415 - 8 MB and 30 ms that only gRPC needs

        return GrpcCollector(endpoint, signal)
    return HttpCollector(endpoint, signal)
