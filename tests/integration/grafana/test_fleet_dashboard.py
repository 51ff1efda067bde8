"""Every query of the dashboard Fleet has an answer where there are boxes, as promtool computes it from our rules."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import yaml

import dashboards
from boards import fleet

AT = "9h"
# Names of variables, and what stands for all.
SITES = ("$site", ".+")


def queries() -> list[str]:
    document = json.loads((fleet.FOLDER / "fleet.json").read_text("utf-8"))
    return [target["expr"].replace(*SITES) for panel in dashboards.panels(document) for target in panel["targets"]]


def series(box: str, steps: int) -> Iterator[dict[str, str]]:
    """A box that reports for so many steps of 5 minutes."""
    of = f'site="s",box="{box}"'
    run = f'{of},target="t",scenario="d"'
    yield {"series": f'voice_probe_build_info{{{of},version="1"}}', "values": f"1x{steps}"}
    yield {"series": f'voice_probe_serving_since_timestamp_seconds{{{run},llm="m",tts="v"}}', "values": f"1x{steps}"}
    yield {"series": f'voice_probe_runs_total{{{run},outcome="ok"}}', "values": f"0+5x{steps}"}
    for le in ("0.4", "+Inf"):
        name = f'voice_probe_combined_ttfb_seconds_bucket{{{run},position="first",le="{le}"}}'
        yield {"series": name, "values": f"0+5x{steps}"}


def test_no_panel_is_empty(prometheus_binaries: Path, tmp_path: Path) -> None:
    asked = queries()
    assert len(asked) > 10
    expected = [{"labels": "{}", "value": 1}]
    test = {
        "interval": "5m",
        "input_series": [*series("a", 120), *series("b", 120), *series("c", 60)],
        "promql_expr_test": [
            {"expr": f"count(({each})) > bool 0", "eval_time": AT, "exp_samples": expected} for each in asked
        ],
    }
    file = {
        "rule_files": [str(fleet.FOLDER / "voice_probe_fleet.yml")],
        "evaluation_interval": "5m",
        "group_eval_order": ["voice_probe_fleet_boxes", "voice_probe_fleet", "voice_probe_fleet_alerts"],
        "tests": [test],
    }
    path = tmp_path / "fleet.yml"
    path.write_text(yaml.safe_dump(file))
    command = [str(prometheus_binaries / "promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
