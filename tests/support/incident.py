"""The whole chain with our own files, daemon to webhook and mail. Only addresses and intervals differ."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

from alertmanager import Alertmanager, Webhook, webhook
from mail_server import Mailbox, mailbox
from prometheus import Prometheus

DEPLOY = Path(__file__).parents[2] / "deploy"
# What a test can't wait for. Rules are never among it.
SCRAPING = {"scrape_interval: 15s": "scrape_interval: 1s", "evaluation_interval: 15s": "evaluation_interval: 1s"}
GROUPING = {"group_wait: 30s": "group_wait: 1s", "group_interval: 5m": "group_interval: 1s"}
# A mail server on loopback has no certificate, and wants no password.
MAIL = {
    "smtp_auth_username: voice-probe@example.org": "smtp_require_tls: false",
    "smtp_auth_password_file: /etc/alertmanager/secrets/smtp_password": "smtp_hello: probe",
}


@dataclass(frozen=True)
class Alerting:
    alertmanager: Alertmanager
    webhook: Webhook
    mailbox: Mailbox


@dataclass(frozen=True)
class Chain(Alerting):
    prometheus: Prometheus


@contextmanager
def alerting(binaries: Path, folder: Path) -> Iterator[Alerting]:
    """Our Alertmanager and its receivers; everything is kept in `folder`."""
    with webhook() as told, mailbox() as mail:
        addresses = {"http://127.0.0.1:9099/voice-probe": told.url, "smtp.example.org:587": mail.address}
        config = _changed("alertmanager/alertmanager.yml", folder, GROUPING | MAIL | addresses)
        with Alertmanager(binaries, config) as alertmanager:
            yield Alerting(alertmanager, told, mail)


@contextmanager
def chain(prometheus_binaries: Path, alertmanager_binaries: Path, folder: Path, ports: list[int]) -> Iterator[Chain]:
    """Scrape the daemons at these ports and alert."""
    with alerting(alertmanager_binaries, folder) as parts:
        for rules in DEPLOY.glob("prometheus/voice_probe_*.yml"):
            copy(rules, folder)
        daemons = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
        addresses = {'"127.0.0.1:9850"': daemons, "127.0.0.1:9093": parts.alertmanager.address}
        config = _changed("prometheus/prometheus.yml", folder, SCRAPING | addresses)
        with Prometheus(prometheus_binaries, config) as prometheus:
            yield Chain(parts.alertmanager, parts.webhook, parts.mailbox, prometheus)


def _changed(name: str, folder: Path, changes: dict[str, str]) -> Path:
    text = (DEPLOY / name).read_text("utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, f"{name}: {old}"
        text = text.replace(old, new)
    changed = folder / Path(name).name
    changed.write_text(text)
    return changed
