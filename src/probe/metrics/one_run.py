"""The metrics of one run alone, as the answer to a scrape that asked for it: the manner of blackbox_exporter.

They have no labels for target and scenario: those are in the scrape's configuration, and its relabelling keeps them.
"""

import math

from prometheus_client import CollectorRegistry, Gauge

from probe.measures import STAGES, TRUSTED, measure_run, outcome, stages_ms, summarise
from probe.metrics.exposition import NAMESPACE, Part, negotiate, page
from probe.metrics.registry import OUTCOMES
from probe.record import RunRecord

_PREFIX = f"{NAMESPACE}_probe"


def one_run(record: RunRecord, took_s: float, accept: str) -> tuple[bytes, str]:
    """The page and its content type for an HTTP `Accept` header; `took_s`: from the question to this answer.

    A latency that is not known is NaN, as are those of a run that can't be trusted.
    """
    part = Part()
    _fill(part.registry, record, took_s)
    content_type = negotiate(accept)
    return page([part], content_type), content_type


def _fill(registry: CollectorRegistry, record: RunRecord, took_s: float) -> None:
    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, _PREFIX, registry=registry)

    ended, trusted, figures = outcome(record), outcome(record) in TRUSTED, summarise(record)
    turns = measure_run(record) if trusted else ()
    gauge("success", "Whether the run was ok: complete, and within the objective.").set(ended == "ok")
    gauge("duration_seconds", "From the scrape to its answer, waiting for other runs and users included.").set(took_s)
    outcomes = gauge("outcome", "1 for the outcome of the run.", "outcome")
    for each in OUTCOMES:
        outcomes.labels(each).set(each == ended)
    if (failure := record.failure) is not None:
        failed = gauge("failure", "1, with the server, stage and reason of a failed run.", "server", "stage", "reason")
        failed.labels(failure.server or "", failure.stage, failure.reason).set(1)
    gauge("response_ttfb_seconds", "From the request to the first byte of audio.").set(
        _seconds(figures.response_ttfb_ms if trusted else None)
    )
    gauge("response_ttfa_seconds", "From the request to the first audible sample.").set(
        _seconds(figures.response_ttfa_ms if trusted else None)
    )
    stages = gauge("stage_seconds", "The start of the first turn, by stage.", "stage")
    for stage, value in (stages_ms(turns[0]) if turns else dict.fromkeys(STAGES)).items():
        stages.labels(stage).set(_seconds(value))
    rate = figures.llm_tokens_per_second if trusted else None
    gauge("llm_tokens_per_second", "Speed of the LLM.").set(math.nan if rate is None else rate)
    gauge("objective_seconds", "What a run has to keep to be ok.").set(record.plan.target.objective_ms / 1000)
    gauge("cold", "Whether a model was loaded for this run; NaN where no server says so.").set(
        math.nan if record.cold is None else record.cold
    )


def _seconds(ms: float | None) -> float:
    return math.nan if ms is None else ms / 1000
