"""From the command line's options to a plan. Options have priority over the configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probe import config
from probe.cli.usage import UsageProblem
from probe.config import Config, ConfigError, TargetConfig, state_dir
from probe.config.errors import Key, Problem, dotted
from probe.config.pairs import misfit
from probe.daemon import recordings
from probe.measurement import SPEECH
from probe.plan import Plan, choose, new_plan
from probe.protocols.registry import PROTOCOLS, hearing
from probe.tolerance import Tolerance

if TYPE_CHECKING:
    from probe.intelligibility import Recogniser

# Options that are keys of a target, and of one of its servers.
_OF_TARGET = ("llm_url", "llm_protocol", "tts_url", "tts_protocol", "voice", "language")
_OF_SERVERS: Mapping[tuple[str, str], str] = {
    ("llm", "model"): "model",
    ("llm", "headers"): "llm_header",
    ("tts", "headers"): "tts_header",
}
# A setting -> the option that stands for it, where it is not spelt alike.
_OPTIONS = {"user_turns": "prompt", "objective_ms": "objective"}
_UNKNOWN = "unknown key; "


def plan_from_options(
    config_path: Path | None,
    target: str | None = None,
    scenario: str | None = None,
    problems: Sequence[str] = (),
    **options: Any,
) -> tuple[Plan, Tolerance]:
    """Plan a run from a configuration file, if any, and what the command line says.

    With the plan comes how long we may be held up until its run is suspect. Raises UsageProblem with all that is wrong,
    `problems` that the caller has found included.
    """
    found = list(problems)
    try:
        settings = config.load(config_path)
    except ConfigError as error:
        found.append(str(error))
        # The options can still be checked, against the defaults; which targets there are is not known.
        settings, target, scenario = Config(), None, None
    target_name, target_config = _chosen("target", settings.targets, target, found)
    said_of_target = _of_target(options, target_config, found)
    target_config = _overridden(f"targets.{dotted((target_name,))}", target_config, said_of_target, found)
    scenario_name, scenario_config = _chosen("scenario", settings.scenarios, scenario, found)
    said = {"user_turns": list(options.get("prompts", ())) or None, "turns": options.get("turns")}
    scenario_config = _overridden(f"scenarios.{dotted((scenario_name,))}", scenario_config, said, found)
    if not found and hearing(target_config.record(target_name)) is not None:
        unplayable = [*recordings.problems(scenario_name, scenario_config, target_config.audible_dbfs)]
        found += [str(config.refused(config_path, unplayable))] if unplayable else []
    if found:
        raise UsageProblem("\n".join(found))
    target_record, scenario_record = target_config.record(target_name), scenario_config.record(scenario_name)
    if (wrong := misfit(target_record, scenario_record)) is not None:
        raise UsageProblem(f"scenario {scenario_name!r} can't be run: {wrong}")
    plan = new_plan(target_record, scenario_record, speech_dir=state_dir(settings) / SPEECH)
    return plan, settings.self_check.tolerance()


def recogniser_from(config_path: Path | None, plan: Plan) -> "Recogniser | None":
    """What is to transcribe the answers of a plan's runs; None where nothing is. Raises ConfigError."""
    chosen = config.load(config_path).intelligibility
    if not chosen.wants(plan.target.name):
        return None
    from probe.intelligibility import recogniser_of  # noqa: PLC0415 - what few runs want

    return recogniser_of(chosen, plan.target.name)


def _chosen(kind: str, known: Mapping[str, Any], name: str | None, found: list[str]) -> tuple[str, Any]:
    """Pick a section of the configuration, the first one where there is none of that name."""
    try:
        return choose(kind, known, name)
    except ValueError as error:
        found.append(f"--{kind}: {error}")
        return choose(kind, known, None)


def _of_target(options: Mapping[str, Any], target: TargetConfig, found: list[str]) -> dict[str, Any]:
    """The options for a target, in the form of its section."""
    said = {key: options.get(key) for key in _OF_TARGET} | _usual_urls(options, target)
    servers: dict[str, dict[str, Any]] = {}
    for (role, key), option in _OF_SERVERS.items():
        value = options.get(option)
        if key == "headers":
            value = _headers(option, value or (), found)
        if value:
            servers.setdefault(role, {})[key] = value
    if "agent" in target.servers:
        _to_the_agent(said, servers)
    return said | {"objective_ms": options.get("objective")} | servers


def _to_the_agent(said: dict[str, Any], servers: dict[str, dict[str, Any]]) -> None:
    """What is asked of an LLM and of a voice is asked of the one that is both."""
    found = {key: value for key in ("voice", "language") if (value := said.pop(key, None)) is not None}
    if "model" in (llm := servers.get("llm", {})):
        found["model"] = llm.pop("model")
        if not llm:
            del servers["llm"]
    if found:
        servers["agent"] = found


def _usual_urls(options: Mapping[str, Any], target: TargetConfig) -> dict[str, str]:
    """A protocol that is chosen without a URL comes with its usual one, where the target's is another kind of URL."""
    usual = {}
    for role, known in PROTOCOLS.items():
        protocol = known.get(options.get(f"{role}_protocol") or "")
        server = target.servers.get(role)
        scheme = "" if server is None else server.url.partition(":")[0].lower()
        if protocol is not None and not options.get(f"{role}_url") and scheme not in protocol.schemes:
            usual[f"{role}_url"] = protocol.default_url
    return usual


def _headers(option: str, texts: Sequence[str], found: list[str]) -> dict[str, str]:
    """NAME=VALUE, and no error shows a value: it is a secret."""
    pairs = [text.partition("=") for text in texts]
    if not all(name and equals for name, equals, _ in pairs):
        found.append(f"--{_spelt(option)}: should be NAME=VALUE, such as authorization='Bearer KEY'")
    return {name: value for name, equals, value in pairs if name and equals}


def _overridden(place: str, section: Any, values: Mapping[str, Any], found: list[str]) -> Any:
    """The section with these values instead of its own; adds what is wrong to `found`."""
    try:
        return config.override(section, values)
    except ConfigError as error:
        found += (_described(place, each, values) for each in error.problems)
        return section


def _described(place: str, wrong: Problem, values: Mapping[str, Any]) -> str:
    """Name the option that is wrong, else the setting that does not go with the options."""
    option = _option(wrong.key, values)
    if option is None:
        return f"{'.'.join(filter(None, (place, dotted(wrong.key))))}, with these options: {wrong}"
    text = str(wrong)
    if text.startswith(_UNKNOWN):
        text = f"nothing that this server takes; {text.removeprefix(_UNKNOWN)}"
    return f"--{_spelt(option)}: {text}"


def _option(key: Key, values: Mapping[str, Any]) -> str | None:
    """The option that said this; None where none did, or where it is about all of the section."""
    if not key:
        return None
    first, second = str(key[0]), str(key[1]) if len(key) > 1 else ""
    of_server = _OF_SERVERS.get((first, second))
    if of_server is not None:
        return of_server if second in values.get(first, {}) else None
    return _OPTIONS.get(first, first) if first in values and first not in PROTOCOLS else None


def _spelt(option: str) -> str:
    return option.replace("_", "-")
