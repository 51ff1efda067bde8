from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards.frame import board


def build() -> Dashboard:
    return board("Probe", "voice-probe", "Whether the instrument itself is well.", "now-24h", "30s")
