"""`probe compare`: is one target slower than another, one run than another, this week than the last?"""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from probe.cli.exit_codes import EXIT_CODES, INTERRUPTED_CODE
from probe.cli.output import report_width, say
from probe.cli.state import open_history, state_dir_option
from probe.cli.time_option import MOMENTS, Moments
from probe.cli.usage import UsageProblem
from probe.config import DriftConfig
from probe.drift.comparison import State
from probe.drift.series import Point, point
from probe.history.reader import HistoryReader
from probe.report import comparison_report, flow_report
from probe.report.comparison_report import Side, comparison_of
from probe.timestamps import local

# A script has to be able to see that nothing is known, as with a measurement that can't be trusted.
CODES: dict[State, int] = {
    "faster": EXIT_CODES["ok"], "same": EXIT_CODES["ok"], "slower": EXIT_CODES["slow"],
    "unknown": EXIT_CODES["suspect"],
}  # fmt: skip
_ANYTIME: Moments = (None, None)
_LEAST_CHANGE = DriftConfig().least_change_percent / 100


@click.command(short_help="Is B slower than A? Two targets, runs, periods or flows.")
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option(
    "--since", type=MOMENTS, default=_ANYTIME, metavar="WHEN|A..B",
    help="Runs from then on, such as 7d or 2026-11-30; 14d..7d has one for A and one for B.",
)  # fmt: skip
@click.option(
    "--until", type=MOMENTS, default=_ANYTIME, metavar="WHEN|A..B",
    help="Runs before that.  [default: A ends where B begins, B now]",
)  # fmt: skip
@click.option("--scenario", help="Only this scenario's runs.  [default: the one that there is]")
@click.option("--flows", is_flag=True, help="Compare one target's flows: sequential (A) and overlapped (B).")
@click.option(
    "--runs", type=click.IntRange(1, 1000), metavar="N",
    help="With --flows: measure N runs in each flow now, in turn, instead of reading the history.",
)  # fmt: skip
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="With --runs: configuration file (TOML)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@state_dir_option
def compare(
    a: str | None,
    b: str | None,
    since: Moments,
    until: Moments,
    scenario: str | None,
    runs: int | None,
    config_path: Path | None,
    state_dir: Path,
    *,
    flows: bool,
    as_json: bool,
) -> None:
    if not flows and (runs is not None or config_path is not None):
        raise UsageProblem("--runs and --config go with --flows: without it, recorded runs are compared")
    if flows:
        period = since, until
        raise SystemExit(_flows(a, b, scenario, period, runs, config_path, state_dir, as_json=as_json))
    with open_history(state_dir) as reader:
        sides = _sides(reader, a, b, scenario, since, until)
    comparison = comparison_of(*sides, _LEAST_CHANGE)
    if as_json:
        click.echo(json.dumps(comparison_report.document(comparison), indent=2))
    else:
        for line in comparison_report.report(comparison, report_width()):
            say(line)
    raise SystemExit(CODES[comparison_report.state(comparison)])


compare.help = """Compare recorded runs: medians, the difference of each stage with an interval, and a verdict.

A and B are two targets, or the ids of two runs (their beginning or end is enough). With one target, or none
where there is only one, --since and --until name two spans of time.
--flows compares a target with itself: the LLM continues while TTS speaks
(overlapped), or waits for its audio (sequential).

\b
Exit codes:
  0  B is no slower: faster, or the same within 3 %
  2  usage
  3  B is slower
  4  can't tell: too few runs, or they scatter too much

\b
Examples:
  probe compare spark local --since 7d
  probe compare spark --since 14d..7d
  probe compare --since 2026-11-01..2026-11-08 \\
                --until 2026-11-02..2026-11-09
  probe compare 0a1b2c 3d4e5f
  probe compare --flows spark --since 7d
  probe compare --flows spark --runs 20 \\
                --config probe.toml
"""


def _flows(
    target: str | None,
    other: str | None,
    scenario: str | None,
    period: tuple[Moments, Moments],
    runs: int | None,
    config_path: Path | None,
    state_dir: Path,
    *,
    as_json: bool,
) -> int:
    """Measure or read, report, and return the exit code."""
    from probe.cli import flows  # noqa: PLC0415 - what measures, which no other comparison needs

    (since, later), (until, latest) = period
    if other is not None or since != later or until != latest:
        raise UsageProblem("--flows compares one target with itself: name one target, and one span of time")
    if runs is None:
        if config_path is not None:
            raise UsageProblem("--config goes with --runs: without it, recorded runs are compared")
        with open_history(state_dir) as reader:
            targets = {target for target, _ in reader.series()}
            chosen = _only(targets) if target is None else target
            _check_known([chosen], targets)
            records = (each for each in reader.runs(since, chosen, scenario) if until is None or each.started < until)
            found, stopped = flows.recorded(chosen, records, _LEAST_CHANGE), False
    else:
        if (since, until) != (None, None):
            raise UsageProblem("--since and --until are for recorded runs, --runs measures now: leave one out")
        found, stopped = flows.measured(config_path, target, scenario, runs, _LEAST_CHANGE)
    flows.show(found, as_json=as_json)
    if stopped:
        say("probe compare: interrupted", err=True)
        return INTERRUPTED_CODE
    return CODES[flow_report.state(found)]


def _sides(
    reader: HistoryReader, a: str | None, b: str | None, scenario: str | None, since: Moments, until: Moments
) -> tuple[Side, Side]:
    targets = {target for target, _ in reader.series()}
    if b is None or a is None:
        target = _only(targets) if a is None else a
        _check_known([target], targets)
        return _spans(reader, target, _scenario(reader, [target], scenario), since, until)
    if targets.isdisjoint((a, b)):
        if (since, until, scenario) != (_ANYTIME, _ANYTIME, None):
            raise UsageProblem(
                f"--since, --until and --scenario are of targets; there is: {', '.join(sorted(targets))}"
            )
        one, other = ([point(reader.get(each))] for each in (a, b))
        return Side(a, one), Side(b, other)
    _check_known([a, b], targets)
    chosen = _scenario(reader, [a, b], scenario)
    one, other = (
        _points(reader, target, chosen, since[side], until[side]) for side, target in enumerate((a, b))
    )  # fmt: skip
    return Side(f"{a}, {chosen}", one), Side(f"{b}, {chosen}", other)


def _spans(reader: HistoryReader, target: str, scenario: str, since: Moments, until: Moments) -> tuple[Side, Side]:
    if since[0] == since[1] and until[0] == until[1]:
        raise UsageProblem(
            "compare what? Two targets, two run ids, or two spans of time, such as --since 14d..7d for the week before"
            " the last and the last"
        )
    # One that is not bounded ends where the other one begins.
    end = since[1] if until[0] is None else until[0]
    sides = [(since[0], end), (since[1], until[1])]
    one, other = (Side(_span_name(target, *span), _points(reader, target, scenario, *span)) for span in sides)
    return one, other


def _span_name(target: str, since: int | None, until: int | None) -> str:
    begin = "" if since is None else f" since {local(since):%Y-%m-%d %H:%M}"
    end = "" if until is None else f" until {local(until):%Y-%m-%d %H:%M}"
    return f"{target}{begin}{end}"


def _points(reader: HistoryReader, target: str, scenario: str, since: int | None, until: int | None) -> list[Point]:
    found = reader.points(target, scenario, since or 0)
    return sorted((each for each in found if until is None or each.started < until), key=lambda each: each.started)


def _scenario(reader: HistoryReader, targets: Iterable[str], wanted: str | None) -> str:
    """The scenario that all of the targets have. Raises UsageProblem where there are several, or none."""
    series = reader.series()
    common = sorted(
        set.intersection(*({scenario for each, scenario in series if each == target} for target in targets))
    )
    if wanted is not None and wanted not in common:
        raise UsageProblem(f"--scenario: no runs of {wanted!r} on either side; there is: {', '.join(common) or 'none'}")
    if wanted is None and len(common) != 1:
        raise UsageProblem(
            f"--scenario: choose one of {', '.join(common)}" if common else "these targets have no scenario in common"
        )
    return wanted or common[0]


def _only(targets: set[str]) -> str:
    if len(targets) != 1:
        raise UsageProblem(f"which target? There is: {', '.join(sorted(targets)) or 'none'}")
    return next(iter(targets))


def _check_known(wanted: Iterable[str], known: set[str]) -> None:
    for each in wanted:
        if each not in known:
            raise UsageProblem(f"no target {each!r} has runs; there is: {', '.join(sorted(known)) or 'none'}")
