"""Tables: columns of several queries' results, and how their cells look."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from boards.panels import Mappings, framed, style


def listing(
    title: str, *queries: Dataquery, columns: Mapping[str, str], before: Sequence[DataTransformerConfig] = ()
) -> table.Panel:
    """A table with these columns of the queries' result, in this order, by these names.

    `before` transforms the result first, while its columns have Prometheus' names.
    """
    kept = {"include": {"names": list(columns)}}
    order = {"indexByName": {name: index for index, name in enumerate(columns)}, "renameByName": dict(columns)}
    panel = framed(table.Panel(), title, queries, "string")
    for each in (
        DataTransformerConfig(id_val="merge", options={}),
        *before,
        DataTransformerConfig(id_val="filterFieldsByName", options=kept),
        DataTransformerConfig(id_val="organize", options=order),
    ):
        panel = panel.with_transformation(each)
    return panel


def lower_case(column: str) -> DataTransformerConfig:
    return DataTransformerConfig(id_val="formatString", options={"stringField": column, "outputFormat": "Lower Case"})


def utc(column: str, form: str) -> list[DataTransformerConfig]:
    """A column of ms since the epoch as text, whatever the reader's time zone is."""
    time = {"targetField": column, "destinationType": "time"}
    text = {"timeField": column, "outputFormat": form, "timezone": "utc", "useTimezone": True}
    return [
        DataTransformerConfig(id_val="convertFieldType", options={"conversions": [time]}),
        DataTransformerConfig(id_val="formatTime", options=text),
    ]


def link(title: str, url: str) -> DynamicConfigValue:
    """Where a click on a cell leads."""
    return DynamicConfigValue(id_val="links", value=[{"title": title, "url": url, "targetBlank": True}])


def unseen() -> DynamicConfigValue:
    """A column that only links need."""
    return style("hideFrom", {"viz": True, "tooltip": False, "legend": False})


def empty(text: str) -> DynamicConfigValue:
    """What a cell without a value has."""
    return DynamicConfigValue(id_val="noValue", value=text)


def filled() -> DynamicConfigValue:
    """A cell on the colour of its value."""
    return style("cellOptions", {"type": "color-background", "mode": "basic"})


def worded(mappings: Mappings) -> DynamicConfigValue:
    """Words in place of values."""
    return DynamicConfigValue(id_val="mappings", value=mappings)


def coloured(*pairs: tuple[float | None, str]) -> DynamicConfigValue:
    """Colours from a value on; the first has no value."""
    each = [{"value": value, "color": color} for value, color in pairs]
    return DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": each})
