"""Recording rules over the past: what Prometheus would have recorded if it had been there all the time."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

# Of every four minutes: Prometheus takes a series for gone after five.
STEP_S = 240
_RECORDED = re.compile(r"voice_probe:[\w:]+")


def recording_rules(url: str) -> dict[str, str]:
    """The rules that the Prometheus at `url` has read, by the name of what they record."""
    rules = [rule for group in ask(url, "rules")["groups"] for rule in group["rules"]]
    return {rule["name"]: rule["query"] for rule in rules if rule["type"] == "recording"}


def levels(rules: Mapping[str, str]) -> list[dict[str, str]]:
    """The same rules, in an order in which each needs only what came before."""
    left, done = dict(rules), []
    while left:
        ready = {name: query for name, query in left.items() if not set(_RECORDED.findall(query)) & set(left)}
        assert ready, f"rules need each other: {', '.join(left)}"
        done.append(ready)
        left = {name: query for name, query in left.items() if name not in ready}
    return done


def recorded(url: str, rules: Mapping[str, str], start_s: float, end_s: float) -> Iterator[str]:
    """Lines of OpenMetrics: each rule, from `start_s` to `end_s`; the oldest first, as promtool wants them."""
    samples: list[tuple[float, str]] = []
    for name, query in rules.items():
        for series in ask(url, "query_range", query=query, start=start_s, end=end_s, step=STEP_S)["result"]:
            told = _labels(series["metric"])
            samples += ((at_s, f"{name}{told} {value} {at_s}") for at_s, value in series["values"])
    return (line for _, line in sorted(samples))


def ask(url: str, what: str, **parameters: Any) -> Any:
    """An answer of Prometheus' HTTP API."""
    with urlopen(f"{url}/api/v1/{what}?{urlencode(parameters, doseq=True)}", timeout=60) as answer:
        return json.load(answer)["data"]


def _labels(metric: Mapping[str, str]) -> str:
    told: Sequence[str] = [f"{key}={json.dumps(value)}" for key, value in metric.items() if key != "__name__"]
    return f"{{{','.join(told)}}}" if told else ""
