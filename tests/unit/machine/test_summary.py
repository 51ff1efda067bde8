"""Readings of a run become the state of the machine during it."""

from probe.machine.gpu import GpuHolders, GpuLevels, GpuReading
from probe.machine.host import Conditions, Counters, Levels, Ticks
from probe.machine.state import ClockReason, GpuProcess, GpuState, HostState, MachineState
from probe.machine.summary import HostReading, machine_state

BEFORE = Counters(Ticks(1000, 800, 10), 100_000, 0, None)
AFTER = Counters(Ticks(2000, 1300, 110), 600_000, 4_000_000, None)
CONDITIONS = Conditions(2.0, 60.0, 3900.0, "performance", "6.14", "boot-1")


def test_shares_are_of_the_time_between_the_first_and_the_last_reading() -> None:
    readings = [
        HostReading(10.0, Levels(1000.0, 500, 10), BEFORE),
        HostReading(11.0, Levels(3900.0, 400, 30)),
        HostReading(12.0, Levels(1500.0, 450, 20), AFTER, CONDITIONS),
    ]
    assert machine_state(readings, []) == MachineState(
        HostState(
            cpu_mhz=3900.0,
            cpu_limit_mhz=3900.0,
            governor="performance",
            busy=0.4,
            steal=0.1,
            pressure_cpu=0.25,
            pressure_memory=1.0,
            pressure_io=None,
            load=2.0,
            memory_available_bytes=400,
            swap_used_bytes=30,
            temperature_c=60.0,
            kernel="6.14",
            boot_id="boot-1",
        )
    )


def test_one_reading_has_no_shares() -> None:
    found = machine_state([HostReading(10.0, Levels(), BEFORE, CONDITIONS)], [])
    assert found is not None
    assert (found.host.busy, found.host.steal, found.host.pressure_cpu) == (None, None, None)
    assert found.host.kernel == "6.14"


def test_a_machine_that_was_started_again_during_the_run_has_no_shares() -> None:
    before, after = Counters(Ticks(5000, 3000, 10), 900, 900, 900), Counters(Ticks(100, 60, 0), 5, 5, 5)
    found = machine_state([HostReading(0.0, Levels(), before), HostReading(2.0, Levels(), after)], [])
    assert found is not None
    assert found.host.busy is found.host.steal is found.host.pressure_cpu is found.host.pressure_io is None


def test_a_gpu_shows_what_it_reached_and_every_reason() -> None:
    holders = GpuHolders(5, 10, (GpuProcess("llama-server", 5),))
    readings = [
        GpuReading("580", (GpuLevels("GB10", 200, 400, ("display_clocks",), 5.0, 40.0, 0.0, 8),), (GpuHolders(),)),
        GpuReading("580", (GpuLevels("GB10", 800, 800, ("power_cap",), 35.0, 60.0, 0.9, 0),)),
        GpuReading("580", (GpuLevels("GB10", 208, None, None, None, None, None, None),), (holders,)),
    ]
    found = machine_state([], readings)
    reasons: tuple[ClockReason, ...] = ("display_clocks", "power_cap")
    gpu = GpuState("GB10", 800, 800, reasons, 35.0, 60.0, 0.9, 0, 5, 10, (GpuProcess("llama-server", 5),))
    assert found == MachineState(HostState(), (gpu,), "580")
    assert found.throttled == ("power_cap",)


def test_nothing_read_is_no_state() -> None:
    assert machine_state([], []) is None
