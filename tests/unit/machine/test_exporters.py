"""Another machine, by the pages of its exporters. The page of dcgm-exporter is written by us: no GPU was at hand."""

from http import HTTPStatus

import pytest

from probe.machine import dcgm, node
from probe.machine.answer import NoPageError
from probe.machine.exporters import NodeExporter
from probe.machine.gpu import GpuHolders, GpuLevels
from probe.machine.host import Conditions, Counters, Levels, Ticks

NODE = b"""\
# HELP node_load1 1m load average.
node_load1 3.25
node_load15 1.5
node_memory_MemAvailable_bytes 6.5536e+10
node_memory_SwapTotal_bytes 2000
node_memory_SwapFree_bytes 1500
node_cpu_scaling_frequency_hertz{cpu="0"} 3.9e+09
node_cpu_scaling_frequency_hertz{cpu="1"} 2.8e+09
node_cpu_scaling_frequency_max_hertz{cpu="0"} 3.9e+09
node_cpu_scaling_governor{cpu="0",governor="performance"} 1
node_cpu_scaling_governor{cpu="0",governor="powersave"} 0
node_cpu_seconds_total{cpu="0",mode="idle"} 4
node_cpu_seconds_total{cpu="0",mode="iowait"} 0.2
node_cpu_seconds_total{cpu="0",mode="user"} 1.1
node_cpu_seconds_total{cpu="1",mode="idle"} 4
node_cpu_seconds_total{cpu="1",mode="system"} 0.5
node_cpu_seconds_total{cpu="1",mode="steal"} 0.2
node_pressure_cpu_waiting_seconds_total 1.5
node_pressure_memory_waiting_seconds_total 0.00025
node_thermal_zone_temp{type="acpitz",zone="0"} 56.5
node_hwmon_temp_celsius{chip="a",sensor="temp1"} 61.25
node_hwmon_temp_celsius{chip="a",sensor="temp2"} -274
node_uname_info{machine="aarch64",release="6.14.0-1013-nvidia",sysname="Linux"} 1
node_boot_time_seconds 1.7e+09
"""

OF_0 = 'gpu="0",UUID="GPU-0",device="nvidia0",modelName="NVIDIA GB10",Hostname="spark",DCGM_FI_DRIVER_VERSION="580.95"'
DCGM = f"""\
# TYPE DCGM_FI_DEV_SM_CLOCK gauge
DCGM_FI_DEV_SM_CLOCK{{gpu="1",modelName="NVIDIA H100"}} 1980
DCGM_FI_DEV_SM_CLOCK{{{OF_0}}} 2418
DCGM_FI_DEV_MEM_CLOCK{{{OF_0}}} 9001
DCGM_FI_DEV_MEMORY_TEMP{{{OF_0}}} 40
DCGM_FI_DEV_GPU_TEMP{{{OF_0}}} 61
DCGM_FI_DEV_GPU_TEMP{{gpu="1"}} 9223372036854775794
DCGM_FI_DEV_POWER_USAGE{{{OF_0}}} 38.5
DCGM_FI_DEV_GPU_UTIL{{{OF_0}}} 93
DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{{{OF_0}}} 36
DCGM_FI_DEV_FB_USED{{{OF_0}}} 100
DCGM_FI_DEV_FB_FREE{{{OF_0}}} 28
""".encode()


def test_the_host_is_as_if_it_were_read_here() -> None:
    page = node.read(NODE)
    assert node.levels(page) == Levels(3350.0, 65_536_000_000, 500)
    assert node.counters(page) == Counters(Ticks(total=1000, idle=820, steal=20), 1_500_000, 250, None)
    assert node.conditions(page) == Conditions(
        load=3.25, temperature_c=61.25, cpu_limit_mhz=3900.0, governor="performance", kernel="6.14.0-1013-nvidia",
        started=1.7e9,
    )  # fmt: skip


def test_what_a_host_does_not_show_is_missing() -> None:
    page = node.read(b"node_load1 NaN\nnode_load1x 1\n")
    assert (node.levels(page), node.counters(page), node.conditions(page)) == (Levels(), Counters(), Conditions())


def test_the_gpus_are_as_if_they_were_read_here() -> None:
    found = dcgm.reading(DCGM)
    assert found.driver == "580.95"
    assert found.levels == (
        GpuLevels("NVIDIA GB10", 2418, 9001, ("power_cap", "sw_thermal"), 38.5, 61.0, 0.93, None),
        GpuLevels("NVIDIA H100", 1980),
    )
    assert found.holders == (GpuHolders(100 * 2**20, 128 * 2**20), GpuHolders())


@pytest.mark.parametrize(
    ("bits", "reasons"), [("0", ()), ("1", ()), ("18446744073709551615", None), ("2147483632", None)]
)
def test_reasons_that_a_gpu_does_not_give_are_missing(bits: str, reasons: tuple[str, ...] | None) -> None:
    page = f'DCGM_FI_DEV_CLOCKS_EVENT_REASONS{{gpu="0"}} {bits}\n'.encode()
    assert dcgm.reading(page).levels[0].reasons == reasons


def test_an_exporter_is_asked_for_what_is_wanted_alone() -> None:
    asked: list[str] = []

    def fetch(url: str, _timeout_s: float) -> bytes:
        asked.append(url)
        return NODE

    exporter = NodeExporter("http://spark:9100/metrics", fetch, now=lambda: 5.0)
    assert (exporter.brief().counters, exporter.whole().at) == (None, 5.0)
    assert asked[0] == "http://spark:9100/metrics?collect%5B%5D=cpufreq&collect%5B%5D=meminfo"
    assert "=pressure" in asked[1] and "=loadavg" in asked[1]
    before = exporter.first()
    assert (before.counters, before.conditions) == (node.counters(node.read(NODE)), None)
    assert "=pressure" in asked[2] and "=loadavg" not in asked[2]


def test_an_exporter_that_lacks_a_collector_is_asked_for_everything() -> None:
    asked: list[str] = []

    def fetch(url: str, _timeout_s: float) -> bytes:
        asked.append(url)
        if "collect" in url:
            raise NoPageError("status 400", HTTPStatus.BAD_REQUEST)
        return NODE

    exporter = NodeExporter("http://spark:9100/metrics", fetch)
    for _ in range(2):
        assert exporter.whole().conditions is not None
    assert [each.partition("?")[2] != "" for each in asked] == [True, False, False]


def test_a_query_of_the_user_is_kept() -> None:
    asked: list[str] = []

    def fetch(url: str, _timeout_s: float) -> bytes:
        asked.append(url)
        return NODE

    NodeExporter("http://spark:9100/metrics?collect[]=meminfo", fetch).brief()
    assert asked == ["http://spark:9100/metrics?collect[]=meminfo"]


def test_another_servers_page_is_no_answer() -> None:
    exporter = NodeExporter("http://spark:3000/metrics", lambda _url, _s: b"grafana_build_info 1\n")
    with pytest.raises(NoPageError):
        exporter.whole()
