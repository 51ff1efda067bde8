"""The fault matrix as a whole. `test_faults_*.py` play its rows: a file for each module, which workers can share."""

from pathlib import Path

from fault_matrix import PARTS, ROWS


def test_there_are_enough_rows_and_each_has_a_name_of_its_own() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_the_rows_of_each_module_are_played() -> None:
    names = sorted(part.__name__.rpartition(".")[2] for part in PARTS)
    files = {path.stem.removeprefix("test_faults_"): path for path in Path(__file__).parent.glob("test_faults_*.py")}
    assert sorted(files) == names
    assert [name for name, path in files.items() if f"@each_of({name}.ROWS)" not in path.read_text()] == []
