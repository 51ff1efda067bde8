"""What every section of the configuration has in common."""

from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a name is printable text")
    return text


def _http_url(text: str) -> str:
    expected = "expected http://HOST:PORT or https://HOST:PORT"
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL ({error}); {expected}") from error
    if not good or any(character.isspace() for character in text):
        raise ValueError(f"{text!r} is not an HTTP URL; {expected}")
    return text


class BaseSection(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("should not be true or false")
        return value


Section = TypeVar("Section", bound=BaseSection)

HttpUrl = Annotated[str, AfterValidator(_http_url)]
Name = Annotated[str, AfterValidator(_name)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Text = Annotated[str, Field(min_length=1)]
