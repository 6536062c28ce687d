"""The project's artifact types.

Their names say where they are found, in components/__init__.py: Kubeflow knows a type by its name alone.
"""

from tfx.types.artifact import Artifact


class CategoryHierarchy(Artifact):
    """A tree of categories with a vocabulary a level; its files are described in models/inputs/hierarchy.py."""

    TYPE_NAME = "components.CategoryHierarchy"


class AnomalyReport(Artifact):
    """The anomalies that AnomalyGate was shown, as JSON; described in components/anomaly_gate/executor.py."""

    TYPE_NAME = "components.AnomalyReport"


class Quarantine(Artifact):
    """The rows of a log that are in no request; described in components/click_log_example_gen/quarantine.py."""

    TYPE_NAME = "components.Quarantine"


class Scores(Artifact):
    """The scores of requests as Parquet; described in components/bulk_scorer/executor.py."""

    TYPE_NAME = "components.Scores"


class RequestScores(Artifact):
    """A split's scores by request as Parquet; described in components/split_scorer/request_scores.py."""

    TYPE_NAME = "components.RequestScores"


class ModelReport(Artifact):
    """What there is to say of a model, as a page and as figures; described in components/model_report/executor.py."""

    TYPE_NAME = "components.ModelReport"
