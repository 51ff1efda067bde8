"""The span of a transcription is sent after those of its run, and once."""

from pathlib import Path
from typing import Any

import pytest
from collectors import SERVERS, Receiver, Sending, http_server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from runs import UNDERSTOOD, record

from probe.reference.faults import refusing_port
from probe.tracing import spans


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_it_arrives_in_the_trace_of_the_run(tmp_path: Path, protocol: Any) -> None:
    receiver = Receiver()
    run = record(1)
    with SERVERS[protocol](receiver) as url:
        sending = Sending(tmp_path, url, protocol)
        sending.run(run)
        sending.sink.write_later(run, UNDERSTOOD)
        receiver.wait(lambda: len(receiver.spans()) == spans.count(run) + 1)
        sending.close()
    named = [span for span in receiver.spans() if span.name == "speech_to_text local"]
    assert [span.trace_id.hex() for span in named] == [run.plan.trace_id]
    assert sending.dropped == []


def test_it_waits_for_a_collector_that_is_away(tmp_path: Path) -> None:
    receiver = Receiver()
    with refusing_port() as port:
        sending = Sending(tmp_path, f"http://127.0.0.1:{port}")
        sending.sink.write_later(record(1), UNDERSTOOD)
        sending.wait_for_errors(1)
    with http_server(receiver, port):
        receiver.wait(lambda: len(receiver.spans()) == 1)
        sending.close()
    assert sending.dropped == []


def test_one_that_is_refused_is_given_up_and_counted(tmp_path: Path) -> None:
    receiver = Receiver(lambda _request: 400)
    with http_server(receiver) as url:
        sending = Sending(tmp_path, url)
        sending.sink.write_later(record(1), UNDERSTOOD)
        sending.wait_for_errors(1)
        sending.close()
    assert sending.dropped == [1]


def test_one_that_a_collector_rejects_is_counted(tmp_path: Path) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    receiver = Receiver(lambda _request: ExportTraceServiceResponse(partial_success=partial))
    with http_server(receiver) as url:
        sending = Sending(tmp_path, url)
        sending.sink.write_later(record(1), UNDERSTOOD)
        receiver.wait(lambda: receiver.attempts == 1)
        sending.close()
    assert sending.dropped == [1]
    assert sending.errors == ["the collector rejected 1 spans: too old"]
