"""What every section of the configuration has in common."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class BaseSection(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


Section = TypeVar("Section", bound=BaseSection)

Seconds = Annotated[float, Field(gt=0, le=3600)]
Text = Annotated[str, Field(min_length=1)]
