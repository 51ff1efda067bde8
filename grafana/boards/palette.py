"""Every colour that means something, and its words.

The colour-blind can distinguish all colours of a group, in the dark and in the light theme: a test computes it. Lines
of targets and scenarios, whose names are not known here, have Grafana's own palette; widths and dashes show which
quantile or measure they are.
"""

# Of a figure: as it should be, nearly not, and not; one that is neither; one that is not there.
GOOD, WARN, BAD, NEUTRAL, QUIET = "#2ca25f", "#ffd92f", "#e6551a", "#1f5fbf", "text"
# Failing is worse than slow, and no shade of it; grey is what nobody measures.
FAILING, FAIL_NOW_AND_THEN, UNMEASURED, WAITING = "#99002b", "#cc79a7", "#5b5b66", "#dfe5ec"

Words = dict[int, tuple[str, str]]

# Of `voice_probe:state:recent`.
STATES: Words = {
    0: ("Waiting for the first run", WAITING),
    1: ("Nothing measured", NEUTRAL),
    2: ("Good", GOOD),
    3: ("Some slow", WARN),
    4: ("Some fail", FAIL_NOW_AND_THEN),
    5: ("Slow", BAD),
    6: ("Failing", FAILING),
    7: ("No runs any more", UNMEASURED),
}
# Of the verdict on drift; -1, 0 and 1 are `voice_probe_drift_state`.
DRIFT: Words = {
    -1: ("Faster", NEUTRAL),
    0: ("Steady", GOOD),
    1: ("Slower", BAD),
    2: ("Learning", WAITING),
    3: ("Nothing measured", UNMEASURED),
}
# Of the verdict on the probe.
PROBE: Words = {
    0: ("Well", GOOD),
    1: ("Old configuration", NEUTRAL),
    2: ("Disturbed", WARN),
    3: ("Loses results", FAIL_NOW_AND_THEN),
    4: ("Misses runs", BAD),
    5: ("Not measuring", FAILING),
}
# The field's name for each stage, and a colour that it has everywhere: blue is the LLM, orange is the TTS.
STAGES = {
    "llm_ttft": ("LLM, to the first token", "#1f6fbf"),
    "llm_decode": ("LLM, the rest of the chunk", "#56b4e9"),
    "tts_ttfb": ("TTS, to the first audio", "#e66100"),
    "combined_ttfb": ("all together", QUIET),
}
# Of the whole wait, what comes before the answer.
HEARING = {"endpointing": ("endpointing", "#7744bb"), "transcription": ("transcription", "#cc79a7")}
# Of every target, whether it hears or not.
WAITS = STAGES | HEARING | {"voice_to_voice": ("voice to voice", QUIET)}
# Failures, by the stage that failed: never in a colour of what is well.
FAILURES = {
    "connect": "#cc3311", "stt": "#7744bb", "llm": "#56b4e9", "tts": "#e6a000", "audio": "#882255",
    "internal": "#909090",
}  # fmt: skip
# Runs without a result.
LOST = {"missed": FAILING, "suspect": WARN, "skipped": NEUTRAL}
# Moments: something else serves, a change of latencies was found, and something else has changed.
SERVING_CHANGED, CHANGE_FOUND, OTHER_CHANGE = "#aa4499", "#e66100", "#56b4e9"
# Whether anything takes speed away from a GPU, and what does.
CLOCKS: Words = {0: ("Free", GOOD), 1: ("Capped", BAD)}
CAPS = {"power_cap": "#e66100", "hw_thermal": "#99002b", "application_clocks": "#1f6fbf"}
# What runs wait for.
PRESSURES = {"cpu": "#1f6fbf", "memory": "#e66100", "io": "#cc79a7"}
# A heatmap's cells.
TURNS = "#56b4e9"
