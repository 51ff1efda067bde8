"""What is configured fits what the service may use, or the log says so."""

from pathlib import Path

import pytest

from probe.daemon.capacity import MOST_SERIES, complaint, memory_limit_mb, needs

UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "voice-probe.service"


def unit(key: str) -> int:
    """A setting of the unit, in its own unit."""
    line = next(line for line in UNIT.read_text("utf-8").splitlines() if line.startswith(f"{key}="))
    return int(line.partition("=")[2].removesuffix("M"))


def group(folder: Path, name: str, **limits: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    for key, value in limits.items():
        (folder / name / key.replace("_", ".")).write_text(f"{value}\n")


def test_the_units_limits_fit_what_it_is_made_for() -> None:
    assert needs(MOST_SERIES).memory_mb <= unit("MemoryHigh") * 2**20 / 1e6
    assert unit("MemoryHigh") < unit("MemoryMax")


def test_what_fits_is_no_matter() -> None:
    assert complaint(MOST_SERIES, None) is None
    assert complaint(20, needs(20).memory_mb) is None


def test_more_series_than_the_limits_are_made_for_are_reported_with_what_they_need() -> None:
    found = complaint(1000, None)
    assert found is not None
    assert (found["series"], found["most_series"]) == (1000, MOST_SERIES)
    assert found["memory_mb"] > needs(MOST_SERIES).memory_mb
    assert found["metrics_page_mb"] > 0
    assert "memory_limit_mb" not in found


def test_a_lower_limit_of_memory_is_reported() -> None:
    found = complaint(20, needs(20).memory_mb - 1)
    assert found is not None
    assert found["memory_limit_mb"] == needs(20).memory_mb - 1


def test_the_lowest_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    group(tmp_path, "system.slice", memory_high="max", memory_max="300000000")
    group(tmp_path, "system.slice/voice-probe.service", memory_high="400000000", memory_max="max")
    (tmp_path / "ours").write_text("0::/system.slice/voice-probe.service\n")
    assert memory_limit_mb(tmp_path / "ours", tmp_path) == 300


@pytest.mark.parametrize("ours", ["", "1:name=systemd:/\n", "0::/\n", "0::/gone\n", "0::/../../etc\n"])
def test_where_there_is_none_there_is_none(tmp_path: Path, ours: str) -> None:
    (tmp_path / "ours").write_text(ours)
    assert memory_limit_mb(tmp_path / "ours", tmp_path) is None


def test_where_nothing_can_be_read_there_is_none(tmp_path: Path) -> None:
    assert memory_limit_mb(tmp_path / "nothing", tmp_path) is None
