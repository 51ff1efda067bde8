"""The metrics of one run alone, as the answer to a scrape that asked for it: the manner of blackbox_exporter.

They have no labels for target and scenario: those are in the scrape's configuration, and its relabelling keeps them.
"""

import math
from collections.abc import Iterator, Mapping

from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.utils import floatToGoString

from probe.measures import TurnMeasures, outcome_and_turns, stages_ms
from probe.metrics.exposition import END, NAMESPACE, negotiate
from probe.metrics.registry import OUTCOMES
from probe.record import RunRecord

_PREFIX = f"{NAMESPACE}_probe"
NOTHING = TurnMeasures(None, None, ())


def one_run(record: RunRecord, took_s: float, accept: str) -> tuple[bytes, str]:
    """The page and its content type for an HTTP `Accept` header; `took_s`: from the question to this answer.

    A latency that is not known is NaN, as are those of a run that can't be trusted.
    """
    content_type = negotiate(accept)
    # Written here: a registry made for one page, and its encoder, take five times as long, and the scrape waits.
    text = "".join(_families(record, took_s)).encode()
    return (text + END if content_type == CONTENT_TYPE_LATEST else text), content_type


def _families(record: RunRecord, took_s: float) -> Iterator[str]:
    # Of the first turn, as `summarise` has them; measured once, since a scrape waits for it.
    ended, turns = outcome_and_turns(record)
    first = next(iter(turns), NOTHING)
    yield _gauge("success", "Whether the run was ok: complete, and within the objective.", ended == "ok")
    took = "From the scrape to its answer, waiting for other runs and users included."
    yield _gauge("duration_seconds", took, took_s)
    outcomes = {_label("outcome", each): each == ended for each in OUTCOMES}
    yield _labelled("outcome", "1 for the outcome of the run.", outcomes)
    if (failure := record.failure) is not None:
        labels = {"reason": failure.reason, "server": failure.server or "", "stage": failure.stage}
        failed = {",".join(_label(*each) for each in labels.items()): 1.0}
        yield _labelled("failure", "1, with the server, stage and reason of a failed run.", failed)
    heard = _seconds(first.response_ttfb_ms), _seconds(first.response_ttfa_ms)
    yield _gauge("response_ttfb_seconds", "From the request to the first byte of audio.", heard[0])
    yield _gauge("response_ttfa_seconds", "From the request to the first audible sample.", heard[1])
    stages = {_label("stage", stage): _seconds(value) for stage, value in stages_ms(first).items()}
    yield _labelled("stage_seconds", "The start of the first turn, by stage.", stages)
    rate = first.llm_tokens_per_second
    yield _gauge("llm_tokens_per_second", "Speed of the LLM.", math.nan if rate is None else rate)
    yield _gauge("objective_seconds", "What a run has to keep to be ok.", record.plan.target.objective_ms / 1000)
    cold = "Whether a model was loaded for this run; NaN where no server says so."
    yield _gauge("cold", cold, math.nan if record.cold is None else record.cold)


def _gauge(name: str, text: str, value: float) -> str:
    return f"{_head(name, text)}{_PREFIX}_{name} {_number(value)}\n"


def _labelled(name: str, text: str, values: Mapping[str, float]) -> str:
    """Values by the labels of each, in both formats and in the order of their names."""
    lines = (f"{_PREFIX}_{name}{{{labels}}} {_number(value)}\n" for labels, value in values.items())
    return f"{_head(name, text)}{''.join(lines)}"


def _head(name: str, text: str) -> str:
    return f"# HELP {_PREFIX}_{name} {text}\n# TYPE {_PREFIX}_{name} gauge\n"


def _number(value: float) -> str:
    written: str = floatToGoString(value)  # type: ignore[no-untyped-call]  # its own omission
    return written


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def _seconds(ms: float | None) -> float:
    return math.nan if ms is None else ms / 1000
