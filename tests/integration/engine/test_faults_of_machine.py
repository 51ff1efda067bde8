"""Plays the faults of what the probe reads its machine with."""

from pathlib import Path

import pytest
from fault_matrix import of_machine
from fault_matrix.required import comes_out_as_required, each_of
from fault_matrix.row import Row


@each_of(of_machine.ROWS)
async def test_row(row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await comes_out_as_required(row, tmp_path, capsys)
