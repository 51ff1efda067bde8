"""The whole chain with our own files, daemon to webhook. Only addresses and intervals differ."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

from alertmanager import Alertmanager, Webhook, webhook
from prometheus import Prometheus

DEPLOY = Path(__file__).parents[2] / "deploy"
# What a test can't wait for. Rules are never among it.
SHORTER = {
    "scrape_interval: 15s": "scrape_interval: 1s",
    "evaluation_interval: 15s": "evaluation_interval: 1s",
    "group_wait: 30s": "group_wait: 1s",
    "group_interval: 5m": "group_interval: 1s",
}


@dataclass(frozen=True)
class Chain:
    prometheus: Prometheus
    alertmanager: Alertmanager
    webhook: Webhook


@contextmanager
def chain(prometheus_binaries: Path, alertmanager_binaries: Path, folder: Path, ports: list[int]) -> Iterator[Chain]:
    """Scrape the daemons at these ports."""
    with webhook() as told:
        config = folder / "alertmanager.yml"
        config.write_text(_changed("alertmanager/alertmanager.yml", {"http://127.0.0.1:9099/voice-probe": told.url}))
        with Alertmanager(alertmanager_binaries, config) as alertmanager:
            for rules in (DEPLOY / "prometheus").glob("voice_probe_*.yml"):
                copy(rules, folder)
            daemons = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
            addresses = {'"127.0.0.1:9850"': daemons, "127.0.0.1:9093": alertmanager.address}
            config = folder / "prometheus.yml"
            config.write_text(_changed("prometheus/prometheus.yml", addresses))
            with Prometheus(prometheus_binaries, config) as prometheus:
                yield Chain(prometheus, alertmanager, told)


def _changed(name: str, addresses: dict[str, str]) -> str:
    text = (DEPLOY / name).read_text("utf-8")
    # No mail server on loopback.
    text = re.sub(r"    email_configs:\n(      .*\n)+", "", text)
    for old, new in (SHORTER | addresses).items():
        assert old in text or old in SHORTER, old
        text = text.replace(old, new)
    return text
