"""The kinds of panel that the dashboards are made of, so that one kind looks and reads the same everywhere."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DashboardSpecialValueMapOptions,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    RangeMap,
    RegexMap,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale

from boards.palette import BAD, QUIET, STAGES, TURNS, WAITS, Words
from boards.queries import DATASOURCE

Mappings = list[ValueMap | RangeMap | RegexMap | SpecialValueMap]
Panel = TypeVar("Panel", stat.Panel, timeseries.Panel, heatmap.Panel, statetimeline.Panel, table.Panel)


def steps(*pairs: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from a value on; the first has no value."""
    thresholds = [Threshold(value=value, color=color) for value, color in pairs]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


NAMED = BigValueTextMode.VALUE_AND_NAME
SMALL_NAMES = common.VizTextDisplayOptions().title_size(16)
PLAIN = steps((None, QUIET))


def words(mapping: Words) -> Mappings:
    options = {
        str(value): ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(mapping.items())
    }
    return [ValueMap(options=options)]


def of_texts(mapping: Mapping[str, str]) -> Mappings:
    """Words for texts."""
    return [ValueMap(options={key: ValueMappingResult(text=text) for key, text in mapping.items()})]


def used_up() -> Mappings:
    """A word for what is less than nothing."""
    result = ValueMappingResult(text="used up", color=BAD, index=0)
    return [RangeMap(options=DashboardRangeMapOptions(to=0, result=result))]


def nothing(text: str) -> Mappings:
    """A word where a pair has no value."""
    result = ValueMappingResult(text=text, color=QUIET, index=1)
    return [
        SpecialValueMap(options=DashboardSpecialValueMapOptions(match=SpecialValueMatch.NULL_AND_NAN, result=result))
    ]


def tiles(title: str, *queries: Dataquery, unit: str) -> stat.Panel:
    """Big values on their colour, one below the other where there are several; they have names then."""
    options = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    return (
        framed(stat.Panel(), title, queries, unit)
        .reduce_options(options)
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND)
        .text_mode(BigValueTextMode.AUTO)
        .orientation(VizOrientation.HORIZONTAL)
    )


def verdict(title: str, query: Dataquery, mapping: Words) -> stat.Panel:
    """A word on its colour for each series."""
    named = [*words(mapping), *nothing("no data")]
    return tiles(title, query, unit="none").mappings(named).thresholds(PLAIN).text_mode(NAMED)


def lines(title: str, *queries: Dataquery, unit: str, decimals: int | None = None) -> timeseries.Panel:
    """On an axis from zero on."""
    panel = _on_any_axis(title, queries, unit).axis_soft_min(0)
    return panel if decimals is None else panel.decimals(decimals)


def added_shares(title: str, *queries: Dataquery) -> timeseries.Panel:
    """Up to 5 % either way the axis is even, beyond that logarithmic, so that a spike hides nothing."""
    scale = common.ScaleDistributionConfig().type(ScaleDistribution.SYMLOG).log(2).linear_threshold(0.05)
    panel = _on_any_axis(title, queries, "percentunit").decimals(0)
    return panel.scale_distribution(scale).min(-0.3).axis_soft_max(0.1)


def proportions(title: str, *queries: Dataquery, unit: str) -> timeseries.Panel:
    """On an axis on which equal shares are equally high, whatever else is in the picture."""
    scale = common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(2)
    return _on_any_axis(title, queries, unit).scale_distribution(scale)


def bars(title: str, *queries: Dataquery, unit: str) -> timeseries.Panel:
    """Counts on top of each other."""
    return (
        lines(title, *queries, unit=unit, decimals=0)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    )


def limit(panel: timeseries.Panel, *pairs: tuple[float | None, str]) -> timeseries.Panel:
    """Dashed lines where values become bad."""
    style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(steps(*pairs)).thresholds_style(style)


def cells(title: str, query: Dataquery) -> heatmap.Panel:
    """How many turns fell into each bucket; ten or more have the full colour."""
    colors = (
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.OPACITY).fill(TURNS).exponent(0.4).steps(64).min(0).max(10)
    )
    scale = colors.scale(HeatmapColorScale.EXPONENTIAL)
    return (
        framed(heatmap.Panel(), title, [query], "short")
        .calculate(False)
        .color(scale)
        .filter_values(heatmap.FilterValueRange().le(0.01))
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .cell_values(heatmap.CellValues().unit("short").decimals(0))
        .tooltip(heatmap.HeatmapTooltip().mode(TooltipDisplayMode.SINGLE).y_histogram(False))
        .exemplars_color("text")
        .hide_legend()
    )


def timeline(title: str, query: Dataquery, mapping: Words) -> statetimeline.Panel:
    """A row for each series, in the words and colours of a verdict."""
    return (
        framed(statetimeline.Panel(), title, [query], "none")
        .mappings(words(mapping))
        .thresholds(PLAIN)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(85)
        .line_width(0)
        .legend(_legend())
    )


def fixed(color: str) -> DynamicConfigValue:
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def shades(color: str) -> DynamicConfigValue:
    """Shades of one hue, a different one for each series."""
    return DynamicConfigValue(id_val="color", value={"mode": "shades", "fixedColor": color})


def named(name: str) -> DynamicConfigValue:
    return DynamicConfigValue(id_val="displayName", value=name)


def style(name: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=f"custom.{name}", value=value)


def renamed_stages() -> list[DataTransformerConfig]:
    """Series whose name begins with a stage get its words, where no override can: before a target's name."""
    return [
        DataTransformerConfig(
            id_val="renameByRegex", options={"regex": f"^{stage} (.*)", "renamePattern": f"{name}: $1"}
        )
        for stage, (name, _) in WAITS.items()
    ]


def with_stages(panel: timeseries.Panel, stages: Mapping[str, tuple[str, str]] = STAGES) -> timeseries.Panel:
    """Series that are named as a stage get its words and its colour."""
    for stage, (name, color) in stages.items():
        panel = panel.override_by_name(stage, [named(name), fixed(color)])
    return panel


def side_by_side(panel: stat.Panel) -> stat.Panel:
    """Values that always have a name."""
    return panel.text_mode(NAMED).orientation(VizOrientation.VERTICAL)


def by_target(panel: timeseries.Panel) -> timeseries.Panel:
    """One for each target that is selected, side by side."""
    return panel.repeat("target").repeat_direction("h").max_per_row(2)


def shown_in(unit: str) -> DynamicConfigValue:
    return DynamicConfigValue(id_val="unit", value=unit)


def sized(panel: Panel, width: int, height: int) -> Panel:
    return panel.span(width).height(height)


def framed(panel: Panel, title: str, queries: Sequence[Dataquery], unit: str) -> Panel:
    """What every kind has."""
    for query in queries:
        panel = panel.with_target(query)
    return panel.title(title).datasource(DATASOURCE).unit(unit)


def _on_any_axis(title: str, queries: Sequence[Dataquery], unit: str) -> timeseries.Panel:
    return (
        framed(timeseries.Panel(), title, queries, unit)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .thresholds(PLAIN)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(2)
        .fill_opacity(0)
        .show_points(VisibilityMode.AUTO)
    )


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).calcs([])
    return legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
