"""Reading beside a run: nobody waits for a driver that hangs. In real time, whose waits are ended by the test."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from probe.machine import watching
from probe.machine.gpu import GpuLevels, GpuReading
from probe.machine.host import Conditions, Counters, Levels
from probe.machine.state import Exporter, MachineState
from probe.machine.summary import HostReading
from probe.machine.watching import Machine, Source


def host() -> Source[HostReading]:
    return Source(
        "host",
        lambda: HostReading(time.monotonic(), Levels(1000.0), Counters()),
        lambda: HostReading(time.monotonic(), Levels(2000.0)),
        lambda: HostReading(time.monotonic(), Levels(1000.0), Counters(), Conditions(kernel="6.14")),
    )


def gpu(read: Callable[[], GpuReading]) -> Source[GpuReading]:
    return Source("gpu", read, read, read)


def watched(machine: Machine, body: Callable[[], None] = lambda: None) -> MachineState | None:
    async def go() -> MachineState | None:
        async with machine.watched() as watched:
            await asyncio.to_thread(body)
        return watched.state

    return asyncio.run(go())


def test_a_run_has_the_machine_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY_S", 0.001)
    briefly = threading.Event()

    def brief() -> HostReading:
        briefly.set()
        return HostReading(time.monotonic(), Levels(2000.0))

    source = Source("host", host().first, brief, host().last)
    found = watched(Machine(source, None), lambda: assert_set(briefly))
    assert found is not None
    assert (found.host.kernel, found.host.cpu_mhz, found.gpus) == ("6.14", 2000.0, ())


def assert_set(event: threading.Event) -> None:
    assert event.wait(30)


def test_a_driver_that_hangs_holds_up_one_run_by_its_deadline_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 0.005)
    answers, asked, begun = threading.Event(), [], threading.Event()

    def hang() -> GpuReading:
        asked.append(threading.current_thread())
        begun.set()
        answers.wait(60)
        return GpuReading("580", (GpuLevels("GB10"),))

    source = gpu(hang)
    machine = Machine(host(), source)

    def until_it_hangs() -> None:
        assert_set(begun)
        while not source.hangs:
            """Some milliseconds."""

    try:
        for _ in range(3):
            found = watched(machine, until_it_hangs)
            assert found is None or found.gpus == ()
        assert len(asked) == 1, "one thread is left behind, and no more"
        assert asked[0].daemon, "the process ends without it"
    finally:
        answers.set()
    while source.hangs:
        """Until the thread has run."""
    # It answers again, and is read again.
    monkeypatch.setattr(watching, "PATIENCE_S", 30.0)
    found = watched(machine)
    assert found is not None
    assert found.driver == "580"


def test_a_source_that_raises_has_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 30.0)

    def broken() -> GpuReading:
        raise RuntimeError("a bug")

    found = watched(Machine(None, gpu(broken)))
    assert found is None


def test_a_run_that_fails_asks_for_no_further_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 30.0)
    read: list[str] = []

    def reading(kind: str) -> Callable[[], GpuReading]:
        def go() -> GpuReading:
            read.append(kind)
            return GpuReading()

        return go

    async def fail() -> None:
        source = Source("gpu", reading("first"), reading("brief"), reading("last"))
        with pytest.raises(ZeroDivisionError):
            async with Machine(None, source).watched():
                raise ZeroDivisionError
        # Whatever it had asked for was read before this.
        await asyncio.wrap_future(source.ask(reading("another")))

    asyncio.run(fail())
    assert read == ["first", "another"]


def test_one_thread_reads_for_all_runs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty targets that are due at once had forty threads, and the service's unit has room for 64."""
    monkeypatch.setattr(watching, "PATIENCE_S", 30.0)
    threads: list[threading.Thread] = []
    source = host()

    def first() -> HostReading:
        threads.append(threading.current_thread())
        return HostReading(time.monotonic(), Levels(1000.0), Counters())

    machine = Machine(Source("host", first, source.brief, source.last), None)

    async def one(all_there: asyncio.Barrier) -> MachineState | None:
        async with machine.watched() as found:
            await all_there.wait()
        return found.state

    async def go() -> list[MachineState | None]:
        all_there = asyncio.Barrier(40)
        return await asyncio.gather(*(one(all_there) for _ in range(40)))

    states = asyncio.run(go())
    assert [state.host.kernel for state in states if state] == ["6.14"] * 40
    assert len(set(threads)) == 1
    assert len(threads) < 40, "runs that ask at once share a reading"


def test_where_no_thread_can_be_started_there_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def go() -> MachineState | None:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            async with Machine(host(), None).watched() as found:
                pass
        return found.state

    assert asyncio.run(go()) is None


def test_this_machine_can_be_opened() -> None:
    found = watched(watching.opened())
    assert found is not None
    assert found.host.kernel


BOTH: tuple[Exporter, ...] = ("node", "dcgm")


def test_an_exporter_that_does_not_answer_is_named_and_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 0.005)

    def dead() -> GpuReading:
        raise OSError("refused")

    source = Source("dcgm", dead, dead, dead, 30.0)
    assert source.patience_s == 30.0
    found = watched(Machine(host(), source, "spark", BOTH))
    assert found is not None
    assert (found.name, found.silent, found.gpus) == ("spark", ("dcgm",), ())
    assert source.patience_s == 0.005


def test_a_machine_whose_exporters_are_all_dead_is_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_S", 30.0)

    def dead() -> HostReading:
        raise OSError("refused")

    found = watched(Machine(Source("node", dead, dead, dead), None, "spark", BOTH[:1]))
    assert found == MachineState(name="spark", silent=("node",))
