"""The section `report` of a run's YAML file."""

from pydantic import Field

from common.section import Section


class ReportConfig(Section):
    """What the report on a model may cost."""

    enabled: bool = Field(True, description="whether there is one; docs/report.md")
    requests: int = Field(
        2000, ge=2, description="of the test split, at most, by which experts and the importance of features are seen"
    )
    note: str | None = Field(
        None, description="what everyone who quotes a figure must know of the log, shown beside the figures"
    )
    seed: int = Field(0, ge=0, description="of the requests that are drawn, the shuffles and the map of gates")
