"""What every configured exporter gives when it is asked, for `probe check-config --probe`."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from probe.cli.findings import Finding
from probe.config import Config
from probe.config.errors import dotted
from probe.machine.answer import NoPageError
from probe.machine.exporters import DEADLINE_S, gpu_source, host_source
from probe.machine.gpu import GpuHolders, GpuLevels, GpuReading
from probe.machine.host import Conditions, Counters
from probe.machine.state import Exporter
from probe.machine.summary import HostReading
from probe.urls import without_secrets

# By figure: what of the exporter shows it.
Figures = Mapping[str, tuple[bool, str]]
_WHY = {
    "ConnectionRefusedError": "nothing listens there: is it running, and is this its port?",
    "gaierror": "there is no host of this name",
    "TimeoutError": f"no answer within {DEADLINE_S:g} s: is the host up, and does no firewall drop it?",
    "SSLCertVerificationError": "its certificate is not trusted here",
    "SSLError": "it does not speak TLS: is it http:// instead?",
    "no HTTP": "what answers there speaks no HTTP: is it https:// instead, or another port?",
    "status 401": "it wants a user and a password (status 401): put them into the URL",
    "status 403": "it refuses this machine or this user (status 403)",
    "status 404": "there is no such page (status 404): the path of exporters is /metrics",
    "no figure of a machine in it": "this page has no figure of a machine: it is not that of a node_exporter",
    "no GPU in it": "this page has no GPU: it is not that of a dcgm-exporter, or its machine has none",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One exporter of a target. `error` is why it gives nothing."""

    target: str
    exporter: Exporter
    url: str
    error: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def wrong(self) -> bool:
        return self.error is not None

    def lines(self, width: int) -> Iterator[str]:
        yield f"{self.target} {self.exporter} ({self.url}): {'it answers' if self.error is None else self.error}"
        for each in self.findings:
            if each.about != "reachable":
                yield from each.lines(width)


async def ask(settings: Config) -> Sequence[Asked]:
    """Ask each exporter of each target, as a run would."""
    found = []
    for name, target in settings.targets.items():
        for exporter, url in target.exporters.record().items():
            found.append(await asyncio.to_thread(_asked, name, exporter, url))
    return found


def _asked(target: str, exporter: Exporter, url: str) -> Asked:
    shown = without_secrets(url)
    try:
        if exporter == "node":
            findings = _of_figures(_host_figures(host_source(url).last()), "these collectors on")
        else:
            findings = _of_figures(_gpu_figures(gpu_source(url).last()), "these fields on in its list of counters")
        return Asked(target, exporter, shown, findings=tuple(findings))
    except NoPageError as error:
        key = dotted(("targets", target, "exporters", exporter))
        why = f"{key}: {_WHY.get(str(error), str(error))}"
        return Asked(target, exporter, shown, why, (Finding("reachable", "wrong", why),))


def _of_figures(figures: Figures, what: str) -> Iterator[Finding]:
    given = [name for name, (is_there, _) in figures.items() if is_there]
    yield Finding("figures", "ok", f"gives: {', '.join(given)}")
    if missing := [f"{name} ({source})" for name, (is_there, source) in figures.items() if not is_there]:
        text = f"does not give: {', '.join(missing)}: if its machine has them, switch {what}"
        yield Finding("missing", "unknown", text)


def _host_figures(found: HostReading) -> Figures:
    levels, counters, rest = found.levels, found.counters or Counters(), found.conditions or Conditions()
    stalled = (counters.stalled_cpu_us, counters.stalled_memory_us, counters.stalled_io_us)
    return {
        "CPU clock": (levels.cpu_mhz is not None, "cpufreq"),
        "CPU use": (counters.ticks is not None, "cpu"),
        "pressure": (any(each is not None for each in stalled), "pressure"),
        "load": (rest.load is not None, "loadavg"),
        "available memory": (levels.memory_available_bytes is not None, "meminfo"),
        "temperature": (rest.temperature_c is not None, "hwmon, thermal_zone"),
        "kernel": (rest.kernel is not None, "uname"),
        "reboots": (rest.started is not None, "stat"),
    }


def _gpu_figures(found: GpuReading) -> Figures:
    levels, holders = next(iter(found.levels), GpuLevels()), next(iter(found.holders), GpuHolders())
    return {
        "SM clock": (levels.sm_mhz is not None, "DCGM_FI_DEV_SM_CLOCK"),
        "memory clock": (levels.memory_mhz is not None, "DCGM_FI_DEV_MEM_CLOCK"),
        "what lowers the clocks": (levels.reasons is not None, "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"),
        "power": (levels.power_w is not None, "DCGM_FI_DEV_POWER_USAGE"),
        "temperature": (levels.temperature_c is not None, "DCGM_FI_DEV_GPU_TEMP"),
        "use": (levels.utilisation is not None, "DCGM_FI_DEV_GPU_UTIL"),
        "memory": (holders.memory_used_bytes is not None, "DCGM_FI_DEV_FB_USED"),
        "driver": (found.driver is not None, "DCGM_FI_DRIVER_VERSION"),
    }
