"""What every section of the configuration has in common."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("a name is printable text")
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

Name = Annotated[str, AfterValidator(_name)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Text = Annotated[str, Field(min_length=1)]
