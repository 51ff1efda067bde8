"""Rules over the past: what Prometheus would have recorded, and which alerts, if it had been there all the time."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

# Of every four minutes: Prometheus takes a series for gone after five.
STEP_S = 240
_RECORDED = re.compile(r"voice_probe(?:_fleet)?:[\w:]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is recorded by that name, or the alert of that name and for how long its condition has to hold."""

    query: str
    labels: Mapping[str, str]
    for_s: float = 0.0


def rules(url: str, kind: str) -> dict[str, Rule]:
    """The `recording` or `alerting` rules that the Prometheus at `url` has read, by name."""
    found = [rule for group in ask(url, "rules")["groups"] for rule in group["rules"] if rule["type"] == kind]
    return {rule["name"]: Rule(rule["query"], rule.get("labels", {}), rule.get("duration", 0)) for rule in found}


def levels(left: Mapping[str, Rule]) -> list[dict[str, Rule]]:
    """The same rules, in an order in which each needs only what came before."""
    done = []
    while left:
        ready = {name: rule for name, rule in left.items() if not set(_RECORDED.findall(rule.query)) & set(left)}
        assert ready, f"rules need each other: {', '.join(left)}"
        done.append(ready)
        left = {name: rule for name, rule in left.items() if name not in ready}
    return done


def recorded(url: str, level: Mapping[str, Rule], start_s: float, end_s: float) -> Iterator[str]:
    """Lines of OpenMetrics: each rule, from `start_s` to `end_s`; the oldest first, as promtool wants them."""
    samples: list[tuple[float, str]] = []
    for name, rule in level.items():
        for labels, values in _evaluated(url, rule, start_s, end_s):
            told = _labels({**labels, **rule.labels})
            samples += ((at_s, f"{name}{told} {value} {at_s}") for at_s, value in values)
    return (line for _, line in sorted(samples))


def fired(url: str, alerts: Mapping[str, Rule], start_s: float, end_s: float) -> Iterator[str]:
    """Lines of OpenMetrics: the alerts that fired, and since when their conditions held, as Prometheus has them."""
    samples: list[tuple[float, str]] = []
    for name, rule in alerts.items():
        for labels, values in _evaluated(url, rule, start_s, end_s):
            alert = {**labels, **rule.labels, "alertname": name}
            firing = _labels({**alert, "alertstate": "firing"})
            for at_s, since_s in _held([at_s for at_s, _ in values]):
                if at_s - since_s >= rule.for_s:
                    samples.append((at_s, f"ALERTS{firing} 1 {at_s}"))
                    samples.append((at_s, f"ALERTS_FOR_STATE{_labels(alert)} {since_s} {at_s}"))
    return (line for _, line in sorted(samples))


def _held(moments: Sequence[float]) -> Iterator[tuple[float, float]]:
    """Each moment, and since when there has been one at every step up to it."""
    since_s = before_s = -math.inf
    for at_s in moments:
        since_s = since_s if at_s - before_s <= STEP_S else at_s
        before_s = at_s
        yield at_s, since_s


def _evaluated(url: str, rule: Rule, start_s: float, end_s: float) -> Iterator[tuple[dict[str, str], Any]]:
    found = ask(url, "query_range", query=rule.query, start=start_s, end=end_s, step=STEP_S)["result"]
    for series in found:
        yield {key: value for key, value in series["metric"].items() if key != "__name__"}, series["values"]


def ask(url: str, what: str, **parameters: Any) -> Any:
    """An answer of Prometheus' HTTP API."""
    with urlopen(f"{url}/api/v1/{what}?{urlencode(parameters, doseq=True)}", timeout=60) as answer:
        return json.load(answer)["data"]


def _labels(labels: Mapping[str, str]) -> str:
    told = [f"{key}={json.dumps(value)}" for key, value in labels.items()]
    return f"{{{','.join(told)}}}" if told else ""
