"""Plays the faults of the TTS server."""

from pathlib import Path

import pytest
from fault_matrix import of_tts
from fault_matrix.required import comes_out_as_required, each_of
from fault_matrix.row import Row


@each_of(of_tts.ROWS)
async def test_row(row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await comes_out_as_required(row, tmp_path, capsys)
