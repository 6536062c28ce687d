"""The project's artifact types."""

from tfx.types.artifact import Artifact


class CategoryHierarchy(Artifact):
    """A tree of categories with a vocabulary a level; its files are described in models/hierarchy.py."""

    TYPE_NAME = "CategoryHierarchy"


class AnomalyReport(Artifact):
    """The anomalies that AnomalyGate was shown, as JSON; described in components/anomaly_gate/executor.py."""

    TYPE_NAME = "AnomalyReport"


class Quarantine(Artifact):
    """The rows of a log that are in no request; described in components/click_log_example_gen/quarantine.py."""

    TYPE_NAME = "Quarantine"


class Scores(Artifact):
    """The scores of requests as Parquet; described in components/bulk_scorer/executor.py."""

    TYPE_NAME = "Scores"
