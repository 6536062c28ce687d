"""Configuration of the category hierarchy: the section `hierarchy` of a run's YAML file."""

from typing import Literal

from pydantic import Field

from common.section import Section


class HierarchyConfig(Section):
    """How the categories seen in the train split become a tree."""

    min_count: int = Field(1, ge=1, description="requests a category needs; rarer ones are unknown")
    conflicts: Literal["majority", "split"] = Field(
        "majority", description="a child under two parents belongs to the one with most requests, or is split in two"
    )
