"""What `probe backfill` prints becomes blocks that a real Prometheus answers from."""

import subprocess
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner
from runs import START, failed, record

from probe.cli import main
from probe.history.writer import History

MINUTE = 60 * 10**9


def test_promtool_builds_blocks_that_hold_every_run(prometheus_binaries: Path, tmp_path: Path) -> None:
    promtool = str(prometheus_binaries / "promtool")
    with closing(History(tmp_path / "state")) as history:
        for number in range(60):
            started = START + number * MINUTE
            history.append(failed(number, started=started) if number == 30 else record(number, started=started))
    written = CliRunner().invoke(main, ["backfill", "--label", "job=probe", "--state-dir", str(tmp_path / "state")])
    (tmp_path / "runs.om").write_text(written.stdout)
    build = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=48h", "runs.om", "data"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True, timeout=150)
    # Without it, promtool takes the folder for no database.
    (tmp_path / "data" / "wal").mkdir()
    dump = subprocess.run(
        [promtool, "tsdb", "dump", "data"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=150
    )
    last: dict[str, float] = {}
    for line in dump.stdout.splitlines():
        series, value, _ = line.rsplit(" ", 2)
        last[series] = float(value)
    first = 'position="first", scenario="default", target="local"'
    assert last[f'{{__name__="voice_probe_combined_ttfb_seconds_bucket", job="probe", le="0.3", {first}}}'] == 59
    assert last[f'{{__name__="voice_probe_combined_ttfb_seconds_bucket", job="probe", le="0.2", {first}}}'] == 0
    run = 'job="probe", outcome="{}", scenario="default", target="local"'
    assert last[f'{{__name__="voice_probe_runs_total", {run.format("ok")}}}'] == 59
    assert last[f'{{__name__="voice_probe_runs_total", {run.format("failed")}}}'] == 1
