"""The base class of configuration sections."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the run's YAML file. It refuses unknown keys and wrong types, and its values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
