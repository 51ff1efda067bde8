"""The Prometheus rules as PrometheusRule resources: `python rules.py` writes base/rules.yaml.

They are the text of deploy/prometheus, so that there is one source of alerts.
"""

from pathlib import Path

HERE = Path(__file__).parent
RULES = HERE.parent / "prometheus"
WRITTEN = HERE / "base" / "rules.yaml"
_RESOURCE = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
spec:
"""


def resources() -> str:
    """One resource per file of rules."""
    documents = [_resource(path) for path in sorted(RULES.glob("voice_probe_*.yml"))]
    return "# Made by `make kubernetes` from deploy/prometheus.\n" + "---\n".join(documents)


def _resource(path: Path) -> str:
    text = path.read_text("utf-8")
    groups = text[text.index("groups:\n") :]
    indented = "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))
    return _RESOURCE.format(name=path.stem.replace("_", "-")) + indented


if __name__ == "__main__":
    WRITTEN.write_text(resources(), "utf-8")
