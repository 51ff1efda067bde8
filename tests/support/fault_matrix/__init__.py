"""The fault matrix: every fault that is injected, and the required result.

One table, three uses: `tests/integration/engine/test_fault_matrix.py` plays each row, `docs/faults.md` is written from
it, and
`tests/unit/test_docs.py` holds the page to it. A new fault is a new row.
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

ROWS = (
    *connecting.ROWS,
    *of_llm.ROWS,
    *of_tts.ROWS,
    *of_chat.ROWS,
    *of_ollama.ROWS,
    *of_speech.ROWS,
    *of_wyoming.ROWS,
    *of_riva.ROWS,
    *of_vllm_speech.ROWS,
    *of_nim_realtime.ROWS,
    *of_stt.ROWS,
    *of_riva_hearing.ROWS,
    *of_agent.ROWS,
    *of_hearing_agent.ROWS,
    *ourselves.ROWS,
    *of_machine.ROWS,
)
