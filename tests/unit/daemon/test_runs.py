"""Each attempt is accounted for, whatever goes wrong with it."""

import asyncio
import io
import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from runs import record

from probe.config import Config, ScenarioConfig, TargetConfig
from probe.daemon import attempt, questions
from probe.daemon.courtesy import Finding
from probe.daemon.dispatch import Dispatch
from probe.daemon.health import Health
from probe.daemon.log import make_logger
from probe.daemon.reports import Reports
from probe.daemon.runs import Runs
from probe.daemon.schedule import Entry
from probe.daemon.timing import Timing
from probe.history.file import HistoryError
from probe.machine.state import Exporter, MachineState
from probe.measurement import Measurement
from probe.measures import outcome
from probe.metrics.registry import Metrics
from probe.record import RunRecord, ServerIdentity

ENTRY = Entry("every", TargetConfig().record("local"), ScenarioConfig().record("default"), Timing(60.0))
# Whatever an attempt waits for, in its order.
AWAITED = {
    (questions, "identity_of"): ServerIdentity("small"),
    (attempt, "_users"): Finding(),
    (questions, "cold"): False,
    (attempt, "measure"): Measurement(record(1), 0.0),
    (Reports, "ask_others"): None,
    (Reports, "after"): {},
}
MISTAKES = (RuntimeError, OSError, ValueError, KeyError, TimeoutError, RecursionError, MemoryError)


class Memory:
    def __init__(self) -> None:
        self.kept: list[RunRecord] = []

    def append(self, record: RunRecord) -> None:
        self.kept.append(record)

    def prune(self, now: int) -> None: ...

    def look(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    "error", [RuntimeError, OSError, ValueError, KeyError, TimeoutError, RecursionError, MemoryError]
)
@pytest.mark.parametrize("broken", AWAITED, ids=lambda each: each[1])
async def test_no_mistake_of_ours_ends_an_attempt_without_a_record(
    broken: tuple[Any, str], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    for (module, name), answer in AWAITED.items():

        async def step(*_: Any, bad: bool = (module, name) == broken, answer: Any = answer, **__: Any) -> Any:
            if bad:
                raise error("what was said")
            return answer

        monkeypatch.setattr(module, name, step)
    memory, log, metrics = Memory(), io.StringIO(), Metrics("1", [])
    dispatch = Dispatch(memory, [metrics], on_error=lambda *_: None)
    runs = Runs(Config(), dispatch, metrics, Health(), make_logger(log, "json"), asyncio.Event())
    await runs.due(ENTRY, time.time())
    await dispatch.drain(60)
    (kept,) = memory.kept
    assert outcome(kept) == "failed"
    assert kept.failure is not None
    assert (kept.failure.stage, kept.failure.reason) == ("internal", "error")
    assert kept.failure.detail == f"{error.__name__} outside of the run"
    page = metrics.render("text/plain")[0].decode()
    assert 'voice_probe_runs_total{outcome="failed",scenario="default",target="local"} 1.0' in page
    assert "an attempt failed because of a bug in the probe" in log.getvalue()


async def test_an_exporter_that_does_not_answer_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    silent: list[tuple[Exporter, ...]] = [(), ("node",), ("node",), ("node", "dcgm"), ("dcgm",), ()]

    async def done(*_: Any) -> attempt.Attempt:
        return attempt.Attempt(replace(record(), machine=MachineState(name="spark", silent=silent.pop(0))), 1.0)

    monkeypatch.setattr("probe.daemon.runs.attempt", done)
    memory, metrics, log = Memory(), Metrics("1", []), io.StringIO()
    dispatch = Dispatch(memory, [metrics], on_error=lambda *_: None)
    runs = Runs(Config(), dispatch, metrics, Health(), make_logger(log, "json"), asyncio.Event())
    asked: dict[Exporter, str] = {"node": "http://spark:9100/metrics", "dcgm": "http://spark:9400/metrics"}
    for _ in range(6):
        await runs.due(replace(ENTRY, target=replace(ENTRY.target, exporters=asked)), time.time())
    silent += [("node", "dcgm"), ()]
    fewer: dict[Exporter, str] = {"dcgm": asked["dcgm"]}
    for exporters in (asked, fewer):
        await runs.due(replace(ENTRY, target=replace(ENTRY.target, exporters=exporters)), time.time())
    await dispatch.drain(60)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = [(each["event"], each["exporters"]) for each in lines if "exporters" in each]
    assert told == [
        ("an exporter does not answer", ["node"]),
        ("an exporter does not answer", ["dcgm"]),
        ("an exporter answers again", ["node"]),
        ("an exporter answers again", ["dcgm"]),
        ("an exporter does not answer", ["node", "dcgm"]),
        ("an exporter answers again", ["dcgm"]),
    ]


@pytest.mark.parametrize("trouble", [HistoryError("locked"), OSError("full"), RuntimeError("ours")])
async def test_a_past_that_cant_be_read_keeps_no_run_from_being_kept(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def done(*_: Any) -> attempt.Attempt:
        return attempt.Attempt(record(), 1.0)

    def past(*_: str) -> list[RunRecord]:
        raise trouble

    monkeypatch.setattr("probe.daemon.runs.attempt", done)
    memory, metrics, log = Memory(), Metrics("1", []), io.StringIO()
    dispatch = Dispatch(memory, [metrics], on_error=lambda *_: None)
    logger = make_logger(log, "json")
    runs = Runs(Config(), dispatch, metrics, Health(), logger, asyncio.Event(), past=past)
    await runs.due(ENTRY, time.time())
    await dispatch.drain(60)
    assert len(memory.kept) == 1
    assert ("a run was not compared" in log.getvalue()) == isinstance(trouble, RuntimeError)


async def test_a_run_whose_page_cannot_be_made_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def done(*_: Any) -> attempt.Attempt:
        return attempt.Attempt(record(), 1.0)

    async def found(_record: RunRecord) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("probe.daemon.runs.attempt", done)
    memory = Memory()
    dispatch = Dispatch(memory, [], on_error=lambda *_: None)
    logger = make_logger(io.StringIO(), "json")
    runs = Runs(Config(), dispatch, Metrics("1", []), Health(), logger, asyncio.Event())
    with pytest.raises(ZeroDivisionError):
        await runs.asked_for(ENTRY, 1.0, found)
    await dispatch.drain(60)
    assert len(memory.kept) == 1


async def test_a_disk_that_hangs_holds_up_no_finished_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def done(*_: Any) -> attempt.Attempt:
        return attempt.Attempt(record(), 1.0)

    goes_on, asked = threading.Event(), []

    def past(target: str, _scenario: str) -> list[RunRecord]:
        asked.append(target)
        goes_on.wait(60)
        return []

    monkeypatch.setattr("probe.daemon.runs.attempt", done)
    monkeypatch.setattr("probe.daemon.runs.PAST_S", 0.01)
    memory = Memory()
    dispatch = Dispatch(memory, [], on_error=lambda *_: None)
    logger = make_logger(io.StringIO(), "json")
    runs = Runs(Config(), dispatch, Metrics("1", []), Health(), logger, asyncio.Event(), past=past)
    async with asyncio.timeout(60):
        await runs.due(ENTRY, time.time())
        monkeypatch.setattr(runs._pace, "knows", lambda _record: False)
        await runs.due(ENTRY, time.time())
    await dispatch.drain(60)
    goes_on.set()
    assert len(memory.kept) == 2
    assert len(asked) == 1, "one thread is left behind, not one for each series"


async def test_a_machine_that_does_not_answer_is_logged_once_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for (module, name), answer in AWAITED.items():

        async def step(*_: Any, answer: Any = answer, **__: Any) -> Any:
            return answer

        monkeypatch.setattr(module, name, step)
    machine = SimpleNamespace(silent=())
    monkeypatch.setattr("probe.daemon.runs.this_machine", lambda: machine)
    log, metrics = io.StringIO(), Metrics("1", [])
    dispatch = Dispatch(Memory(), [metrics], on_error=lambda *_: None)
    runs = Runs(Config(), dispatch, metrics, Health(), make_logger(log, "json"), asyncio.Event())
    entry = replace(ENTRY, target=replace(ENTRY.target, machine="local"))
    for silent in ((), ("gpu",), ("gpu",), ("gpu",), (), ()):
        machine.silent = silent
        await runs.due(entry, time.time())
    await dispatch.drain(60)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["level"], line.get("of")) for line in lines] == [("warning", ["gpu"]), ("info", None)]
