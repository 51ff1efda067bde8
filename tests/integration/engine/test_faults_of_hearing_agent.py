"""Plays the faults of an agent that hears, behind OpenAI Realtime."""

from pathlib import Path

import pytest
from fault_matrix import of_hearing_agent
from fault_matrix.required import comes_out_as_required, each_of
from fault_matrix.row import Row


@each_of(of_hearing_agent.ROWS)
async def test_row(row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await comes_out_as_required(row, tmp_path, capsys)
