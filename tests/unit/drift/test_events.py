"""What changed from run to run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from runs import machine, on_a_machine, record

from probe.drift.circumstances import COVARIATES, Circumstances, circumstances, covariates
from probe.drift.events import FACTS, Event, events
from probe.drift.fingerprint import Fingerprint
from probe.machine.state import GpuProcess, GpuState, HostState, MachineState
from probe.plan import Role
from probe.server_state import ServerFigures

SERVING = Fingerprint("qwen b1", "leo", "abc")


def runs(*states: MachineState | None) -> list[Circumstances]:
    return [Circumstances(f"run-{n}", n, SERVING, state) for n, state in enumerate(states)]


def capped(gpu: GpuState) -> MachineState:
    return MachineState(gpus=(gpu,))


FREE, CAPPED = capped(GpuState(reasons=())), capped(GpuState(reasons=("power_cap",)))
LIMITED = capped(GpuState(reasons=("application_clocks",)))


def governed(governor: str, limit_mhz: float | None = 3900.0) -> MachineState:
    return MachineState(HostState(cpu_limit_mhz=limit_mhz, governor=governor))


def on_the_gpu(**started: float | None) -> MachineState:
    processes = tuple(GpuProcess(name, None, at) for name, at in started.items())
    return MachineState(HostState(boot_id="1"), (GpuState(processes=processes),))


@pytest.mark.parametrize(
    ("states", "found"),
    [
        ([FREE, FREE, CAPPED, CAPPED, CAPPED], [Event(2, "clock_cap", "GPU clocks capped: power cap", "run-2")]),
        ([CAPPED, FREE, FREE, FREE], [Event(1, "clock_cap", "GPU clocks no longer capped: power cap", "run-1")]),
        # A card that is at its limit every other run has not changed.
        ([FREE, CAPPED, FREE, CAPPED, FREE, CAPPED, CAPPED, FREE], []),
        # What is not known is what it was.
        ([FREE, None, CAPPED, None, CAPPED, CAPPED], [Event(2, "clock_cap", "GPU clocks capped: power cap", "run-2")]),
        ([None, None], []),
        (
            [FREE, LIMITED, LIMITED, LIMITED],
            [
                Event(
                    1,
                    "clock_setting",
                    "what limits the GPU's clocks by a setting: nothing → application clocks",
                    "run-1",
                )
            ],
        ),
        (
            [governed("performance")] + [governed("powersave", 2001.0)] * 3,
            [Event(1, "cpu_setting", "CPU performance up to 3.9 GHz → powersave up to 2.0 GHz", "run-1")],
        ),
        ([governed("performance", 3900.0)] + [governed("performance", 3910.0)] * 3, []),
        (
            [governed("schedutil", None)] + [governed("performance", None)] * 3,
            [Event(1, "cpu_setting", "CPU schedutil → performance", "run-1")],
        ),
        (
            [on_the_gpu(server=1.0)] + [on_the_gpu(server=1.0, training=9.0)] * 3,
            [Event(1, "gpu_process", "new on the GPU: training", "run-1")],
        ),
        (
            [on_the_gpu(server=1.0, other=2.0)] + [on_the_gpu(server=1.0)] * 3,
            [Event(1, "gpu_process", "no longer on the GPU: other", "run-1")],
        ),
        (
            [on_the_gpu(server=1.0)] + [on_the_gpu(server=77.0)] * 2,
            [Event(1, "server_restart", "started again: server", "run-1")],
        ),
    ],
)
def test_a_change_of_the_machine_is_dated_by_the_first_run_after_it(
    states: Sequence[MachineState | None], found: Sequence[Event]
) -> None:
    assert events(runs(*states)) == found


def test_a_machine_without_an_id_of_its_start_was_rebooted_if_that_moved_by_more_than_a_clock_does() -> None:
    started = [MachineState(HostState(started=at)) for at in (1000.0, 1001.0, 999.0, 5000.0, 5000.0)]
    assert [(event.at, event.kind) for event in events(runs(*started))] == [(3, "reboot")]
    # Exporters instead of our own reading: another way to see the same machine.
    assert events(runs(MachineState(HostState(boot_id="1")), started[0])) == []


def test_what_the_server_reports_is_a_candidate() -> None:
    turns = tuple(replace(turn, prompt_tokens=200, cached_tokens=150) for turn in record(1).turns)
    found = circumstances(replace(record(1), turns=turns, reported={"llm": ServerFigures(running=1, cache_hit=0.5)}))
    assert covariates(found) == {"server_running": 1.0, "prompt_tokens": 200.0, "prompt_cached": 75.0}
    alone = circumstances(replace(record(1), reported={"llm": ServerFigures(waiting=3, queue_ms=5.0, cache_hit=0.5)}))
    assert covariates(alone) == {"server_waiting": 3.0, "server_queue_ms": 5.0, "prompt_cached": 50.0}


def test_a_reboot_starts_everything_and_is_one_change() -> None:
    before = on_the_gpu(server=50.0)
    after = replace(on_the_gpu(server=9.0), host=HostState(boot_id="2"))
    assert [event.kind for event in events(runs(before, after, after))] == ["reboot"]
    both = in_order(started(50.0, state=before), started(90.0, state=after), started(90.0, state=after))
    assert [event.kind for event in events(both)] == ["reboot"]


def started(at: float | None, *, of: Role = "llm", state: MachineState | None = None) -> Circumstances:
    """A run before which a server said since when it runs."""
    return Circumstances("", 0, SERVING, state, starts={} if at is None else {of: at})


def in_order(*found: Circumstances) -> list[Circumstances]:
    return [replace(each, run_id=f"run-{n}", started=n) for n, each in enumerate(found)]


def test_a_server_on_any_machine_that_says_when_it_was_started_shows_that_it_was_started_again() -> None:
    later = in_order(started(50.0), started(None), started(90.5), started(90.5))
    assert events(later) == [Event(2, "server_restart", "started again: the LLM server", "run-2")]
    assert events(in_order(started(50.0), started(9.0, of="tts"), started(50.0), started(9.0, of="tts"))) == []
    two_that_take_turns = [started(at) for at in (50.0, 90.0, 50.0, 90.0, 50.0)]
    assert events(in_order(*two_that_take_turns)) == []


def test_a_start_that_driver_and_server_show_is_one_change() -> None:
    before, after = started(50.0, state=on_the_gpu(server=50.0)), started(90.0, state=on_the_gpu(server=90.0))
    (event,) = events(in_order(before, after, after))
    assert event.what == "started again: server; started again: the LLM server"


def test_what_is_served_and_how_are_changes_too() -> None:
    first = Circumstances("a", 1, SERVING)
    others = [
        replace(first, run_id="b", started=2, serving=replace(SERVING, llm="")),
        replace(first, run_id="c", started=3, serving=Fingerprint("qwen b2", "aria", "abd")),
    ]
    assert [(event.at, event.kind, event.what) for event in events([first, *others])] == [
        (3, "model", "model or build qwen b1 → qwen b2"),
        (3, "voice", "voice leo → aria"),
        (3, "settings", "configuration abc → abd"),
    ]


def test_a_new_driver_and_a_new_kernel_are_named() -> None:
    old = MachineState(HostState(kernel="6.11"), driver="570")
    new = MachineState(HostState(kernel="6.14"), driver="580")
    assert [event.what for event in events(runs(old, new))] == ["GPU driver 570 → 580", "kernel 6.11 → 6.14"]


def test_the_figures_of_a_run_have_the_units_of_the_words() -> None:
    run = on_a_machine()
    found = covariates(circumstances(run))
    assert found["gpu_sm_ghz"] == pytest.approx(0.812)
    assert found["pressure_cpu"] == pytest.approx(12.0)
    assert found["memory_gib"] == pytest.approx(61.0)
    assert "gpu_memory_gib" not in covariates(replace(circumstances(run), machine=capped(GpuState())))
    assert covariates(replace(circumstances(run), machine=None)) == {}
    assert circumstances(run).machine == machine()


def test_every_name_of_what_may_have_changed_is_in_the_manual() -> None:
    page = (Path(__file__).parents[3] / "docs/machine.md").read_text("utf-8")
    assert [name for name in (*COVARIATES, *FACTS) if f"`{name}`" not in page] == []
    assert not {*COVARIATES} & {*FACTS}, "one label has both"
