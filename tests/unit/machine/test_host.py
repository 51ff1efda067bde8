"""What /proc and /sys say, from a folder that looks like them."""

from pathlib import Path

import pytest

from probe.machine.host import Conditions, Counters, Host, Levels, Ticks

FILES = {
    "proc/stat": "cpu  100 0 50 800 20 5 5 20 0 0\ncpu0 1 1\nbtime 1700000000\n",
    "proc/meminfo": "MemTotal: 125000 kB\nMemAvailable:  64000 kB\nSwapTotal: 2000 kB\nSwapFree: 1500 kB\n",
    "proc/loadavg": "3.25 2.00 1.00 2/1500 4242\n",
    "proc/pressure/cpu": "some avg10=1.00 avg60=0.50 avg300=0.10 total=1500000\nfull avg10=0.00 total=0\n",
    "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=250\nfull avg10=0.00 total=0\n",
    "proc/sys/kernel/osrelease": "6.14.0-1013-nvidia\n",
    "proc/sys/kernel/random/boot_id": "5c5b9b1e-0f3b-4a43-9c6b-000000000001\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "3900000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "3900000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpufreq/policy10/scaling_cur_freq": "2800000\n",
    "sys/devices/system/cpu/cpufreq/policy10/scaling_max_freq": "2900000\n",
    "sys/devices/system/cpu/cpufreq/policy10/scaling_governor": "performance\n",
    "sys/class/thermal/thermal_zone0/temp": "56500\n",
    "sys/class/thermal/thermal_zone1/temp": "61250\n",
    # A sensor that is switched off.
    "sys/class/thermal/thermal_zone2/temp": "-274000\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "ascii")
    return tmp_path


def test_the_levels_are_megahertz_and_bytes(root: Path) -> None:
    assert Host(root).levels() == Levels(3350.0, 64_000 * 1024, 500 * 1024)


def test_the_counters_are_read_and_what_is_missing_is_none(root: Path) -> None:
    assert Host(root).counters() == Counters(
        ticks=Ticks(total=1000, idle=820, steal=20),
        stalled_cpu_us=1_500_000,
        stalled_memory_us=250,
        stalled_io_us=None,
    )


def test_the_conditions_are_those_of_the_moment(root: Path) -> None:
    assert Host(root).conditions() == Conditions(
        load=3.25,
        temperature_c=61.25,
        cpu_limit_mhz=3400.0,
        governor="performance",
        kernel="6.14.0-1013-nvidia",
        boot_id="5c5b9b1e-0f3b-4a43-9c6b-000000000001",
    )


def test_a_machine_that_shows_nothing_is_all_none(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert (host.levels(), host.counters(), host.conditions()) == (Levels(), Counters(), Conditions())


@pytest.mark.parametrize("text", ["", "\n", "cpu\n", "cpu a b c d e f g h\n", "\xff\x00" * 3000, "some total=\n"])
def test_files_that_hold_something_else_are_none(root: Path, text: str) -> None:
    for name in FILES:
        (root / name).write_text(text, "latin-1")
    host = Host(root)
    found = host.conditions()
    assert (host.levels(), host.counters()) == (Levels(), Counters())
    assert (found.load, found.temperature_c) == (None, None)


def test_this_machine_can_be_read() -> None:
    """No figure is certain to be there, but the kernel's name is wherever these tests run on Linux."""
    found = Host().conditions()
    assert found.kernel is not None or not Path("/proc/sys/kernel/osrelease").exists()
