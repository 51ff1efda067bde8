"""Metrics that the daemon is about to have."""

from collections.abc import Sequence

from demo_data.cases import FINE_FOR_S, FINE_S, COARSE_S, END, Moment
from probe.measures import outcome, summarise

_last: dict[tuple[str, str], dict[str, float]] = {}


def lines(together: Sequence[Moment]) -> list[str]:
    told = []
    for each in together:
        pair = f'scenario="{each.pair.scenario}",target="{each.pair.target}"'
        if each.record is not None and outcome(each.record) in ("ok", "slow"):
            first = summarise(each.record).first
            assert first is not None
            _last[each.pair.target, each.pair.scenario] = {
                "combined_ttfb": (first.combined_ttfb_ms or 0) / 1000,
                "llm_ttft": (first.llm_ttft_ms or 0) / 1000,
                "llm_decode": ((first.llm_gen_time_ms or 0) - (first.llm_ttft_ms or 0)) / 1000,
                "tts_ttfb": (first.tts_ttfb_ms or 0) / 1000,
            }
        for stage, value in _last.get((each.pair.target, each.pair.scenario), {}).items():
            told.append(f'voice_probe_last_stage_seconds{{{pair},stage="{stage}"}} {value}')
        every = FINE_S if each.due_s >= END - FINE_FOR_S else COARSE_S
        told.append(f"voice_probe_next_run_timestamp_seconds{{{pair}}} {each.due_s + every}")
        told.append(
            f'voice_probe_serving_since_timestamp_seconds{{{pair},config="3f2a91c0",llm="{each.model}",tts="aria/en/22000"}} '
            f"{each.model_since_s}"
        )
    for target in {each.pair.target for each in together}:
        told.append(f'voice_probe_objective_seconds{{target="{target}"}} 1.0')
    told.append(f"voice_probe_history_runs {4000 + len(_last) + together[0].due_s % 1e6 // 60:.0f}")
    told.append(f"voice_probe_history_bytes {(4000 + together[0].due_s % 1e6 // 60) * 4100:.0f}")
    return told
