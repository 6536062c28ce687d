"""What the sections of a run's YAML file have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the run's YAML file: unknown keys and wrong types are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
