from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards.frame import board


def build() -> Dashboard:
    return board("Drift", "voice-drift", "Is it getting slower?", "now-14d", "5m")
