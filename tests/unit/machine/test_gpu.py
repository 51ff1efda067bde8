"""The GPU's figures, from a library that stands in for NVIDIA's: there is no GPU here."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import nvml_standin
import pynvml
import pytest

from probe.machine.gpu import GpuHolders, GpuLevels, GpuReading, Gpus, library_found, nvml
from probe.machine.state import GpuProcess


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvml_standin.built(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def values(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "values"
    monkeypatch.setenv("NVML_STANDIN", str(path))
    with nvml_standin.loaded(library):
        yield path


def proc(root: Path) -> Path:
    """A machine with one process, which started 100 s after it."""
    folder = root / "proc/4242"
    folder.mkdir(parents=True)
    (folder / "comm").write_text("VLLM::EngineCor\n")
    (folder / "stat").write_text("4242 (VLLM) x) S 1 " + "0 " * 17 + "10000 0 0\n")
    return root


def read(root: Path) -> GpuReading:
    gpus = Gpus(pynvml, root)
    gpus.first()
    return gpus.last()


def test_a_gb10_has_no_memory_of_its_own(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.GB10)
    levels = GpuLevels("NVIDIA GB10", 2418, None, (), 36.12, 61, 0.94, 0)
    process = GpuProcess("VLLM::EngineCor", None, 100.0)
    found = read(proc(tmp_path))
    assert found == GpuReading("580.95.05", (levels,), (GpuHolders(None, None, (process,)),))


def test_a_desktop_card_says_that_its_power_is_capped(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.DESKTOP)
    levels = GpuLevels("NVIDIA GeForce RTX 4090", 2520, 10501, ("power_cap",), 449.5, 74, 0.99, 2)
    process = GpuProcess("llama-server", 21_100_000_000, None)
    found = read(tmp_path)
    assert found == GpuReading("550.120", (levels,), (GpuHolders(21_474_836_480, 25_757_220_864, (process,)),))


def test_a_process_that_is_hidden_has_a_name_without_arguments(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.GB10)
    assert read(tmp_path).holders[0].processes == (GpuProcess("python3"),)


def test_a_hundred_processes_are_a_hundred(tmp_path: Path) -> None:
    running = [SimpleNamespace(pid=pid, usedGpuMemory=2**20) for pid in range(100)]
    module = SimpleNamespace(
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=str,
        nvmlDeviceGetComputeRunningProcesses=lambda _gpu: running,
        nvmlSystemGetProcessName=lambda pid: f"/usr/bin/worker-{pid}",
    )
    gpus = Gpus(Silent(module), tmp_path)
    gpus.first()
    found = gpus.last().holders[0].processes or ()
    assert [each.name for each in found] == [f"worker-{pid}" for pid in range(100)]


class Silent:
    """A library that has a few functions; all others refuse."""

    def __init__(self, known: SimpleNamespace) -> None:
        self._known = known

    def __getattr__(self, name: str) -> Callable[..., object]:
        def refused(*_given: object) -> object:
            raise OSError(name)

        found: Callable[..., object] = getattr(self._known, name, refused)
        return found


def test_every_reason_has_its_bit(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.GB10 | {"reasons": "0xffffffffffffffff"})
    assert read(tmp_path).levels[0].reasons == (
        "application_clocks", "power_cap", "hw_slowdown", "sync_boost", "sw_thermal", "hw_thermal", "power_brake",
        "display_clocks",
    )  # fmt: skip


def test_a_gpu_that_says_nothing_has_no_figures(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, {"gpus": "1"})
    assert read(tmp_path) == GpuReading(None, (GpuLevels(),), (GpuHolders(None, None, ()),))


def test_without_a_driver_there_is_no_gpu_until_it_is_loaded(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.NONE)
    gpus = Gpus(pynvml, tmp_path)
    assert gpus.first() == gpus.brief() == GpuReading()
    nvml_standin.written(values, nvml_standin.GB10)
    assert gpus.first().levels[0].sm_mhz == 2418


def test_a_driver_that_is_unloaded_takes_its_gpu_along(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.GB10)
    gpus = Gpus(pynvml, tmp_path)
    gpus.first()
    nvml_standin.written(values, nvml_standin.NONE)
    assert gpus.first() == GpuReading()


def test_a_gpu_that_is_lost_has_no_figures_until_it_is_back(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.GB10)
    gpus = Gpus(pynvml, tmp_path)
    gpus.first()
    nvml_standin.written(values, nvml_standin.GB10 | nvml_standin.LOST)
    (lost,) = gpus.brief().levels
    assert (lost.sm_mhz, lost.power_w, lost.answers) == (None, None, False)
    assert gpus.first().levels == (GpuLevels("NVIDIA GB10"),), "it is looked for again"
    nvml_standin.written(values, nvml_standin.GB10)
    assert gpus.first().levels[0] == GpuLevels("NVIDIA GB10", 2418, None, (), 36.12, 61, 0.94, 0)


def test_a_gpu_that_comes_or_goes_is_found_before_the_next_run(values: Path, tmp_path: Path) -> None:
    nvml_standin.written(values, nvml_standin.DESKTOP)
    gpus = Gpus(pynvml, tmp_path)
    assert len(gpus.first().levels) == 1
    nvml_standin.written(values, nvml_standin.DESKTOP | {"gpus": "2"})
    assert len(gpus.brief().levels) == 1, "within a run nothing is looked for"
    assert len(gpus.first().levels) == len(gpus.last().holders) == 2
    nvml_standin.written(values, nvml_standin.DESKTOP)
    assert len(gpus.first().levels) == 1


def test_the_module_is_imported_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nvml() is pynvml
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    assert nvml() is None


def test_a_machine_without_the_library_is_found_out_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.machine.gpu.LIBRARY", "libnothing-of-this-name.so.1")
    assert not library_found()
