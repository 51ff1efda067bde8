"""The fault matrix: every fault that is injected, and the required result.

One table, three uses: `tests/integration/engine/test_faults_*.py` play each row, `docs/faults.md` is written from it,
and `tests/unit/test_docs.py` holds the page to it. A new fault is a new row.
"""

from fault_matrix import (
    connecting,
    of_agent,
    of_chat,
    of_hearing_agent,
    of_llm,
    of_machine,
    of_nim_realtime,
    of_ollama,
    of_riva,
    of_riva_hearing,
    of_speech,
    of_stt,
    of_tts,
    of_vllm_speech,
    of_wyoming,
    ourselves,
)
from fault_matrix.row import Row

# Each has its own file of tests: those of one file are played by one worker.
PARTS = (
    connecting,
    of_llm,
    of_tts,
    of_chat,
    of_ollama,
    of_speech,
    of_wyoming,
    of_riva,
    of_vllm_speech,
    of_nim_realtime,
    of_stt,
    of_riva_hearing,
    of_agent,
    of_hearing_agent,
    ourselves,
    of_machine,
)
ROWS: tuple[Row, ...] = tuple(row for part in PARTS for row in part.ROWS)
