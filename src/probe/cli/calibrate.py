"""`probe calibrate`: how far from the truth are this machine's figures?"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click

from probe.accuracy import Calibration, Truth, by_trace
from probe.cli.exit_codes import EXIT_CODES
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.config.daemon import SelfCheckConfig
from probe.garbage import freeze
from probe.measurement import measure
from probe.plan import new_plan
from probe.record import RunRecord
from probe.report import document

RUNS = 20
END_TIMEOUT_S = 20.0
# With fewer runs that can be trusted there is nothing to say of this machine but that it is too busy.
LEAST_TRUSTED = 0.5


@click.command(short_help="The error bars of this machine, in half a minute.")
@click.option("--runs", default=RUNS, show_default=True, type=click.IntRange(2, 1000), help="How many, 1.3 s each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def calibrate(runs: int, *, as_json: bool) -> None:

    click.echo(f"Measuring {runs} runs against scripted servers on this machine ...", err=True)
    clock = AnchoredClock.anchored_now()
    with truth_servers() as servers:
        records = _measure(servers, runs, clock)
        truth = servers.end()
    found = _compare(records, clock, truth)
    if as_json:
        click.echo(json.dumps(_document(found), indent=2))
    else:
        for line in _report(found):
            click.echo(line)
    raise SystemExit(_conclude(found))


calibrate.help = """Measure scripted servers on this machine, which log when they really wrote each frame, and report
how far each measure was from the truth: the error bars of every other figure from here.

\b
Exit codes:
  0  the figures above hold
  1  please report it: a run failed, or one that counted
     as valid had an error over 20 ms
  4  most runs were suspect: this machine is too busy
"""


class TruthServers:
    """Scripted servers in another process, which report in the end what they wrote and when.

    `urls` are those of the LLM and the TTS server of each pair: `founding`, `openai`, `riva` and `wyoming`; and of the
    one server of `realtime`.
    """

    def __init__(self, process: subprocess.Popen[str], urls: Mapping[str, tuple[str, ...]]) -> None:
        self.urls = urls
        self._process = process

    def end(self) -> dict[str, Truth]:
        """End the servers; trace id -> what they did in that run."""
        output, _ = self._process.communicate(timeout=END_TIMEOUT_S)
        return by_trace(json.loads(line) for line in output.splitlines())


@contextmanager
def truth_servers(stretch: float = 1.0) -> Iterator[TruthServers]:
    """Serve while the context is open. Raises ClickException where they don't start."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        [sys.executable, "-m", "probe.reference.truth", "--stretch", str(stretch)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0,  # Ctrl-C reaches us alone
    )  # fmt: skip
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise click.ClickException("the scripted servers did not start")
        yield TruthServers(process, {pair: tuple(urls) for pair, urls in json.loads(line).items()})
    finally:
        process.kill()
        process.wait()


def _measure(servers: TruthServers, runs: int, clock: AnchoredClock) -> list[RunRecord]:
    tolerance = SelfCheckConfig().tolerance()
    llm_url, tts_url = servers.urls["founding"]
    target = TargetConfig.of(llm_url=llm_url, tts_url=tts_url).record("calibration")
    scenario = ScenarioConfig().record("calibration")

    async def go() -> list[RunRecord]:
        records = []
        for _ in range(runs):
            done = await measure(new_plan(target, scenario), tolerance, clock=clock)
            records.append(done.record)
        return records

    freeze()
    return asyncio.run(go())


def _compare(records: Sequence[RunRecord], clock: AnchoredClock, truth: dict[str, Truth]) -> Calibration:

    found = Calibration()
    for record in records:
        if record.failure is not None:
            raise click.ClickException(f"a run failed: {document.explained(record, record.failure.detail)}")
        found.add(record, clock, truth[record.plan.trace_id])
    return found


def _report(found: Calibration) -> Iterator[str]:
    yield "Measured less true, in ms:"
    yield f"{'error of':27} {'n':>5} {'p50':>7} {'p99':>7} {'max':>7}"
    for name, spread in found.spreads().items():
        yield f"{name:27} {spread.count:5} {spread.p50:7.2f} {spread.p99:7.2f} {spread.largest:7.2f}"
    untrue = f"{found.untrue} valid with an error over {found.limit_ms:g} ms"
    yield f"{found.valid} runs valid, {found.suspect} suspect, {untrue}"
    if (bars := found.bars()) is not None:
        yield f"Error bars of this machine: {bars.p50:+.2f} ms (p50), {bars.p99:+.2f} ms (p99)"


def _document(found: Calibration) -> dict[str, Any]:
    bars = found.bars()
    return {
        "valid": found.valid,
        "suspect": found.suspect,
        "untrue": found.untrue,
        "uncertain": found.uncertain,
        "limit_ms": found.limit_ms,
        "error_bars_ms": None if bars is None else asdict(bars),
        "errors_ms": {name: asdict(spread) for name, spread in found.spreads().items()},
    }


def _conclude(found: Calibration) -> int:

    if found.untrue:
        return EXIT_CODES["failed"]
    trusted = found.valid >= LEAST_TRUSTED * (found.valid + found.suspect)
    return EXIT_CODES["ok" if trusted else "suspect"]
