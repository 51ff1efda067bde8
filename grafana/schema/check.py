"""Print the dashboards as TypeScript of Grafana's own types: `tsc` then finds a key or a value that Grafana has not.

`make check-dashboards` does it; it needs Node.js, and some 30 MB of packages that package.json pins.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "dashboards"
# For each kind of panel, the module of its options, and the type of its field options.
KINDS = {
    "heatmap": ("heatmap/panelcfg/x/HeatmapPanelCfg", "heatmap.FieldConfig"),
    "stat": ("stat/panelcfg/x/StatPanelCfg", "Record<string, never>"),
    "state-timeline": ("statetimeline/panelcfg/x/StateTimelinePanelCfg", "state_timeline.FieldConfig"),
    "table": ("table/panelcfg/x/TablePanelCfg", "schema.TableFieldOptions"),
    "timeseries": ("timeseries/panelcfg/x/TimeSeriesPanelCfg", "schema.GraphFieldConfig"),
}
# A file has an enum's text and not the enum; what it leaves out has a default.
HEAD = """
import type * as schema from '@grafana/schema';
type Plain<T> = T extends string ? `${T}` : T extends (infer E)[] ? Plain<E>[]
  : T extends object ? { [K in keyof T]?: Plain<T[K]> } : T;
type Panel<O, C> = Plain<Omit<schema.Panel, 'options' | 'fieldConfig' | 'targets'>>
  & { options: Plain<O>, targets: unknown[],
      fieldConfig: { defaults: Plain<Omit<schema.FieldConfig, 'custom' | 'mappings'>>
        & { custom?: Plain<C>, mappings?: unknown[] }, overrides: unknown[] } };
"""


def main() -> None:
    print(HEAD)
    for kind, (module, _) in KINDS.items():
        source = f"@grafana/schema/dist/esm/raw/composable/{module}_types.gen"
        print(f"import type * as {_name(kind)} from {source!r};")
    for path in sorted(FOLDER.glob("*.json")):
        print("\n".join(_statements(_name(path.stem), json.loads(path.read_text("utf-8")))))


def _statements(name: str, document: dict[str, Any]) -> Iterator[str]:
    panels = document.pop("panels")
    # The data source adds keys of its own to them.
    document.pop("annotations")
    yield f"export const {name}: Plain<schema.Dashboard> = {json.dumps(document)};"
    for number, panel in enumerate(panels):
        yield f"export const {name}{number}: {_type(panel['type'])} = {json.dumps(panel)};"


def _type(kind: str) -> str:
    if kind == "row":
        return "Plain<schema.RowPanel>"
    return f"Panel<{_name(kind)}.Options, {KINDS[kind][1]}>"


def _name(kind: str) -> str:
    return kind.replace("-", "_")


if __name__ == "__main__":
    main()
