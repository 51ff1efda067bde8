"""The Prometheus rules as PrometheusRule resources: `python rules.py` writes them, for the base and for many nodes.

They are the text of deploy/prometheus and deploy/fleet, so that there is one source of alerts.
"""

from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
DEPLOY = HERE.parent
# The file, where its rules are from.
WRITTEN = {
    HERE / "base" / "rules.yaml": "prometheus",
    # A probe on each node is a fleet: the rules of one box distinguish no nodes.
    HERE / "overlays" / "node" / "fleet-rules.yaml": "fleet",
}
_RESOURCE = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
spec:
"""


def resources(folder: str) -> str:
    """One resource per file of rules."""
    documents = [_resource(path) for path in files(folder)]
    return f"# Made by `make kubernetes` from deploy/{folder}.\n" + "---\n".join(documents)


def files(folder: str) -> Iterable[Path]:
    return sorted((DEPLOY / folder).glob("voice_probe_*.yml"))


def _resource(path: Path) -> str:
    text = path.read_text("utf-8")
    groups = text[text.index("groups:\n") :]
    indented = "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))
    return _RESOURCE.format(name=path.stem.replace("_", "-")) + indented


if __name__ == "__main__":
    for path, folder in WRITTEN.items():
        path.write_text(resources(folder), "utf-8")
