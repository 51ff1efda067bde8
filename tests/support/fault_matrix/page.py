"""`docs/faults.md`, written from the table.

After a change of the table: `UPDATE_GOLDEN=1 make test-unit`, then look at the diff.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, groupby

from fault_matrix import ROWS
from fault_matrix.elsewhere import ELSEWHERE, Elsewhere
from fault_matrix.row import MEASURES, PATIENT, WAITED_OUT, Row

HEAD = """# Faults

Every fault that is injected in the tests, and its result. None of them hangs a run, ends the daemon, leaves the
LLM server's slot taken, or becomes a number that looks valid: a run that is not `ok` or `slow` is no latency in any
histogram.

This page is written from `tests/support/fault_matrix`. Each row is played by
`tests/integration/engine/test_faults_*.py` against scripted servers, through everything that a daemon is made of;
then the same daemon must measure a healthy target, and nothing may be left: no task, thread, socket, open file or slot.
[failures.md](failures.md) says what to do about each reason.

*Longest* is what a run may take on a machine that has time for it, in seconds, releasing the slot included. A limit
that ends a row's silence is short ({waited_out}); all others are long
({patient}), so that no row depends on how fast the machine is.

*Measures* is how far the run came, and so which measures exist, those of the steps before included:

{reached}

Of an agent, which is handed no text, those that it has ([measures.md](measures.md#of-an-agent)).
"""
COLUMNS = "| fault | what is injected | outcome | stage, reason | longest | measures |\n|---|---|---|---|---|---|"
ELSEWHERE_HEAD = """## Played elsewhere

What a run against scripted servers can't show, and the test below `tests/` that does.

| fault | the result | test |
|---|---|---|
"""
TITLES = {
    "LLM": "The LLM server",
    "TTS": "The TTS server",
    "LLM over HTTP": "The LLM server, where it is OpenAI-compatible",
    "LLM, Ollama": "The LLM server, where it is Ollama",
    "TTS over HTTP": "The TTS server, where it is OpenAI-compatible",
    "TTS, Wyoming": "The TTS server, where it speaks Wyoming",
    "TTS, Riva": "The TTS server, where it is Riva over gRPC",
    "TTS, NIM over HTTP": "The TTS server, where it is a NIM over HTTP",
    "TTS, vLLM-Omni": "The TTS server, where it is vLLM-Omni's WebSocket",
    "TTS, NIM": "The TTS server, where it is a NIM's realtime WebSocket",
    "STT, Wyoming": "The STT server, where it speaks Wyoming",
    "STT over HTTP": "The STT server, where it is OpenAI-compatible",
    "STT, Riva": "The STT server, where it is Riva over gRPC",
    "agent": "The agent, behind OpenAI Realtime",
    "probe": "The probe's own machine",
}


def page() -> str:
    """The whole document."""
    waited_out = dict(chain.from_iterable(limits.items() for limits in WAITED_OUT.values()))
    reached = "\n".join(_reached())
    parts = [HEAD.format(waited_out=_limits(waited_out), patient=_limits(PATIENT), reached=reached)]
    by_place = sorted(ROWS, key=lambda row: [*TITLES].index(row.where))
    for where, rows in groupby(by_place, lambda row: row.where):
        parts.append(f"## {TITLES[where]}\n\n{COLUMNS}\n" + "\n".join(map(_line, rows)) + "\n")
    parts.append(ELSEWHERE_HEAD + "\n".join(map(_elsewhere, ELSEWHERE)) + "\n")
    return "\n".join(parts)


def _elsewhere(each: Elsewhere) -> str:
    path, _, name = each.test.partition("::")
    return f"| {each.fault} | {each.comes_of_it} | `{path}`, `{name}` |"


def _limits(limits: Mapping[str, float]) -> str:
    return ", ".join(f"`{name}` {value:g}" for name, value in limits.items())


def _reached() -> Iterator[str]:
    """Each step, and which measures it adds to those of the step before."""
    before: frozenset[str] = frozenset()
    for name, measures in MEASURES.items():
        added = ", ".join(f"`{measure}`" for measure in sorted(measures - before))
        yield f"- {name}: {added or 'none'}"
        before = measures


def _line(row: Row) -> str:
    stage = f"{row.stage} or {row.or_stage}" if row.or_stage else row.stage
    reason = f"{stage}, `{row.reason}`" if row.stage else ""
    measures = (
        row.reached if not row.without else f"{row.reached}, but no {', '.join(f'`{name}`' for name in row.without)}"
    )
    kept = "; the server keeps the slot" if row.slot_kept else ""
    return f"| {row.name} | {row.injected}{kept} | `{row.outcome}` | {reason} | {row.longest_s:g} | {measures} |"
