"""What is wrong with a configuration: every error at once, each with its key, its value and what is allowed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

# Values below these keys are not to be shown.
_HIDDEN = {"headers"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: `allowed` says what would be right, or what is wrong where no single value is."""

    key: str
    allowed: str
    value: Any = None

    def __str__(self) -> str:
        told = self.value is None or isinstance(self.value, dict) or repr(self.value) in self.allowed
        got = "" if told else f" (got {self.value!r})"
        return f"{self.key}: {self.allowed}{got}" if self.key else f"{self.allowed}{got}"


class ConfigError(Exception):
    """What is wrong with the configuration, a line for each error; `problems` has them one by one."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


def problems_of(error: ValidationError) -> list[Problem]:
    """Each error that pydantic found, in the file's own words."""
    problems = []
    for each in error.errors(include_url=False):
        key = ".".join(str(part) for part in each["loc"])
        if each["type"] == "extra_forbidden":
            problems.append(Problem(key, "unknown key"))
            continue
        message = each["msg"].removeprefix("Value error, ")
        value = None if _HIDDEN & {*each["loc"]} else each["input"]
        allowed = f"{message[:1].lower()}{message[1:]}" if key else message
        problems.append(Problem(key, allowed, value))
    return problems


def explain(error: ValidationError) -> list[str]:
    """Each error as `key: what is allowed (got value)`."""
    return [str(problem) for problem in problems_of(error)]


def with_broken_references(
    error: ValidationError | None, broken: Mapping[tuple[str, ...], tuple[str, Any]], title: str
) -> ValidationError | None:
    """Add errors that only show between sections (key path -> what is wrong, value) to those found inside of them."""
    if not broken:
        return error
    found: list[InitErrorDetails] = []
    for each in error.errors() if error is not None else ():
        name: Any = each["type"]
        kind = PydanticCustomError(name, "{msg}", {"msg": each["msg"]})
        found.append(InitErrorDetails(type=kind, loc=each["loc"], input=each["input"]))
    for key, (text, value) in broken.items():
        kind = PydanticCustomError("reference", "{msg}", {"msg": text})
        found.append(InitErrorDetails(type=kind, loc=key, input=value))
    return ValidationError.from_exception_data(title, found)
