"""Plays the faults before a WebSocket is open."""

from pathlib import Path

import pytest
from fault_matrix import connecting
from fault_matrix.required import comes_out_as_required, each_of
from fault_matrix.row import Row


@each_of(connecting.ROWS)
async def test_row(row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await comes_out_as_required(row, tmp_path, capsys)
