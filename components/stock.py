"""TFX's own components of statistics and schema. The cache notices other versions of them."""

from tfx.components.example_validator import component as example_validator
from tfx.components.schema_gen.import_schema_gen import component as import_schema_gen
from tfx.components.statistics_gen import component as statistics_gen
from tfx.components.statistics_gen import executor as statistics_gen_executor
from tfx.dsl.components.base import executor_spec
from tfx.types.standard_component_specs import ExampleValidatorSpec, ImportSchemaGenSpec, StatisticsGenSpec

from components.parameters import WithParameters, with_parameters
from components.timing import timed


@timed
class StatisticsGenExecutor(statistics_gen_executor.Executor):
    """TFX's."""


class StatisticsGen(statistics_gen.StatisticsGen, WithParameters):
    """TFX's, and ``code``: fingerprint of the source."""

    SPEC_CLASS = with_parameters(StatisticsGenSpec, code=str)
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(StatisticsGenExecutor)

    def __init__(self, code: str, **arguments):
        self.parameters = {"code": code}
        super().__init__(**arguments)


class ImportSchemaGen(import_schema_gen.ImportSchemaGen, WithParameters):
    """TFX's, and ``code``: fingerprint of the source."""

    SPEC_CLASS = with_parameters(ImportSchemaGenSpec, code=str)

    def __init__(self, code: str, **arguments):
        self.parameters = {"code": code}
        super().__init__(**arguments)


class ExampleValidator(example_validator.ExampleValidator, WithParameters):
    """TFX's, and ``code``: fingerprint of the source."""

    SPEC_CLASS = with_parameters(ExampleValidatorSpec, code=str)

    def __init__(self, code: str, **arguments):
        self.parameters = {"code": code}
        super().__init__(**arguments)
