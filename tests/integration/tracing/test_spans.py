"""Spans at real OTLP receivers, over HTTP and over gRPC, that are healthy, away, busy, stalling or picky."""

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from collectors import OK, PATIENCE_S, SERVERS, Receiver, Sending, http_server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as wire
from runs import failed, record, refused, skipped

from probe.history.file import HistoryError
from probe.record import RunRecord
from probe.reference.faults import refusing_port
from probe.tracing import spans
from probe.tracing.span import Span, SpanError, SpanEvent


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> Any:
    return request.param


def each_once(receiver: Receiver, runs: list[RunRecord]) -> bool:
    """Whether each span of each run, and nothing else, has come, and none of them twice."""
    wanted = Counter((each.plan.trace_id, span.span_id) for each in runs for span in spans.spans(each))
    return wanted == Counter((span.trace_id.hex(), span.span_id.hex()) for span in receiver.spans())


def understood(span: wire.Span) -> Span:
    """A span as it came, in our own terms."""
    attributes = {each.key: value(each.value) for each in span.attributes}
    error = None
    if span.status.code == wire.Status.STATUS_CODE_ERROR:
        error = SpanError(attributes.pop("error.type"), span.status.message)
    return Span(
        span.name,
        span.span_id.hex(),
        span.parent_span_id.hex() or None,
        "client" if span.kind == wire.Span.SPAN_KIND_CLIENT else "internal",
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        attributes,
        tuple(SpanEvent(event.name, event.time_unix_nano) for event in span.events),
        error,
    )


def value(sent: AnyValue) -> Any:
    kind = sent.WhichOneof("value")
    assert kind is not None
    if kind == "array_value":
        return tuple(value(each) for each in sent.array_value.values)
    return getattr(sent, kind)


def test_the_span_tree_arrives_as_it_is(tmp_path: Path, protocol: Any) -> None:
    receiver = Receiver()
    runs = [record(1), failed(2), refused(3), skipped(4)]
    with SERVERS[protocol](receiver) as url:
        sending = Sending(tmp_path, url, protocol)
        for each in runs:
            sending.run(each)
        receiver.wait(lambda: len(receiver.spans()) >= sum(map(spans.count, runs)))
        sending.close()
    assert [understood(span) for span in receiver.spans()] == [span for each in runs for span in spans.spans(each)]
    assert {span.trace_id.hex() for span in receiver.spans()} == {each.plan.trace_id for each in runs}
    resource = receiver.accepted[0].resource_spans[0].resource
    assert {each.key: value(each.value) for each in resource.attributes} == {
        "service.name": "voice-probe",
        "service.version": "1.2.3",
    }
    assert {key.lower(): text for key, text in receiver.headers[0].items()}["x-token"] == "t"
    assert sending.errors == []


def test_what_a_collector_missed_while_it_was_away_arrives_once(tmp_path: Path, protocol: Any) -> None:
    runs = [record(number) for number in range(20)]
    with refusing_port() as port:
        sending = Sending(tmp_path, f"http://127.0.0.1:{port}", protocol)
        for each in runs:
            sending.run(each)
        sending.wait_for_errors(2)
    receiver = Receiver()
    with SERVERS[protocol](receiver, port):
        receiver.wait(lambda: each_once(receiver, runs))
        sending.close()
    assert each_once(receiver, runs)
    starts = [span.start_time_unix_nano for span in receiver.spans() if span.name == "probe.run"]
    assert starts == sorted(starts)
    assert sending.dropped == []


def test_what_was_not_sent_before_a_restart_is_sent_after_it(tmp_path: Path) -> None:
    runs = [record(number) for number in range(45)]
    with refusing_port() as port:
        away = Sending(tmp_path, f"http://127.0.0.1:{port}")
        for each in runs:
            away.run(each)
        away.wait_for_errors(1)
        away.close()
    receiver = Receiver()
    with http_server(receiver) as url:
        back = Sending(tmp_path, url)
        receiver.wait(lambda: each_once(receiver, runs))
        back.close()
        again = Sending(tmp_path, url)
        again.close()
    assert each_once(receiver, runs)
    assert len(receiver.accepted) == 3


def test_a_collector_that_is_busy_gets_them_later_once(tmp_path: Path, protocol: Any) -> None:
    answers: list[Any] = [503, 503, 503]
    receiver = Receiver(lambda _request: answers.pop() if answers else OK)
    with SERVERS[protocol](receiver) as url:
        sending = Sending(tmp_path, url, protocol)
        sending.run(record(1))
        receiver.wait(lambda: each_once(receiver, [record(1)]))
        sending.close()
    assert receiver.attempts == 4
    assert len(sending.errors) == 3 and sending.dropped == []


def test_a_collector_that_stalls_delays_neither_a_write_nor_the_end(tmp_path: Path, protocol: Any) -> None:
    let_go = threading.Event()

    def stall(_request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        let_go.wait(PATIENCE_S)
        return OK

    receiver = Receiver(stall)
    with SERVERS[protocol](receiver) as url:
        sending = Sending(tmp_path, url, protocol, timeout_s=0.2)
        for number in range(50):
            sending.run(record(number))
        sending.wait_for_errors(1)
        sending.close()
        let_go.set()
    assert len(sending.errors) < 50 and sending.dropped == []


def test_the_end_is_not_held_up_by_a_request_that_goes_on(tmp_path: Path) -> None:
    let_go, entered = threading.Event(), threading.Event()

    def stall(_request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        entered.set()
        let_go.wait(PATIENCE_S)
        return OK

    with http_server(Receiver(stall)) as url:
        sending = Sending(tmp_path, url, timeout_s=PATIENCE_S)
        sending.run(record(1))
        assert entered.wait(PATIENCE_S)
        sending.sink.close(0.01)
        assert sending.sink._thread.is_alive()
        let_go.set()
        sending.sink._thread.join(PATIENCE_S)
        sending.history.close()


def test_the_last_run_before_the_end_is_still_sent(tmp_path: Path) -> None:
    receiver = Receiver()
    with http_server(receiver) as url:
        sending = Sending(tmp_path, url)
        sending.run(record(1))
        sending.close()
    assert each_once(receiver, [record(1)])


def test_spans_that_a_collector_rejects_are_counted_and_not_sent_again(tmp_path: Path, protocol: Any) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    receiver = Receiver(lambda _request: ExportTraceServiceResponse(partial_success=partial))
    with SERVERS[protocol](receiver) as url:
        sending = Sending(tmp_path, url, protocol)
        sending.run(record(1))
        sending.wait_for_errors(1)
        sending.close()
        Sending(tmp_path, url, protocol).close()
    assert sending.dropped == [3]
    assert sending.errors == ["the collector rejected 3 spans: too old"]
    assert receiver.attempts == 1


def test_one_run_that_is_refused_does_not_hold_up_the_others(tmp_path: Path, protocol: Any) -> None:
    runs = [record(number) for number in range(30)]

    def picky(request: ExportTraceServiceRequest) -> ExportTraceServiceResponse | int:
        sent = {span.trace_id.hex() for span in request.resource_spans[0].scope_spans[0].spans}
        return 400 if runs[13].plan.trace_id in sent else OK

    with refusing_port() as port:
        away = Sending(tmp_path, f"http://127.0.0.1:{port}")
        for each in runs:
            away.run(each)
        away.close()
    receiver = Receiver(picky)
    wanted = [each for each in runs if each is not runs[13]]
    with SERVERS[protocol](receiver) as url:
        sending = Sending(tmp_path, url, protocol)
        receiver.wait(lambda: each_once(receiver, wanted))
        sending.close()
    assert sending.dropped == [spans.count(runs[13])]
    assert len(sending.errors) == 1 and runs[13].plan.run_id in sending.errors[0]


def test_an_address_that_is_no_collector_loses_nothing(tmp_path: Path) -> None:
    receiver = Receiver()
    with http_server(receiver) as url:
        wrong = Sending(tmp_path, f"{url}/elsewhere")
        wrong.run(record(1))
        wrong.wait_for_errors(1)
        wrong.close()
        assert "answered 404" in wrong.errors[0] and "/elsewhere" in wrong.errors[0]
        Sending(tmp_path, url).close()
    assert each_once(receiver, [record(1)])


def test_what_the_history_could_not_take_is_sent_from_memory_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver()
    with http_server(receiver) as url:
        sending = Sending(tmp_path, url)
        with monkeypatch.context() as patched:

            def locked(*_: Any) -> Any:
                raise HistoryError("locked")

            patched.setattr(sending.history, "contains", locked)
            patched.setattr(sending.history, "unsent", locked)
            sending.sink.write(record(1))
            receiver.wait(lambda: each_once(receiver, [record(1)]))
        sending.history.append(record(1))
        sending.run(record(2))
        receiver.wait(lambda: each_once(receiver, [record(1), record(2)]))
        sending.close()
    assert each_once(receiver, [record(1), record(2)])


@pytest.mark.parametrize(("protocol", "imported"), [("http", False), ("grpc", True)])
def test_grpc_is_imported_only_where_it_is_used(protocol: str, *, imported: bool) -> None:
    code = (
        "import sys; from probe.otlp.collector import Endpoint; from probe.otlp.deliver import collector;"
        "from probe.tracing.otlp import TRACES;"
        f"collector(Endpoint('http://localhost', {protocol!r}), TRACES); print('grpc' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert ended.stdout.strip() == str(imported)
