"""Where the Beam stages run: the section `beam` of a run's YAML file, and what it means in Beam's own arguments."""

from typing import Literal

from pydantic import Field, model_validator

from common.section import Section

Value = str | int | float | bool | list[str]

# TFX packs its own source before each component, for seconds, unless Beam is told of an image or a package. Workers
# that are no containers have TFX already and do not look at the image.
_NO_IMAGE = "none"
# Named by us for every runner but the direct one; each may be given in one place only.
_DIRECT_PROCESSES = {"direct_running_mode", "direct_num_workers"}


class FlinkConfig(Section):
    """A Flink cluster."""

    master: str = Field("[local]", description="host:port of the job manager's REST; [local]: Flink in the job server")
    version: Literal["1.17", "1.18", "1.19"] = Field("1.19", description="of the cluster")
    job_server_jar: str | None = Field(
        None,
        description="path or URL of Beam's job server; unless given, Beam fetches the version's from Maven Central",
    )
    execution_mode: Literal["PIPELINED", "PIPELINED_FORCED", "BATCH", "BATCH_FORCED"] = Field(
        "BATCH_FORCED",
        description="BATCH: stages wait on disk for each other, and what was lost is computed again, if the cluster's "
        "own `restart-strategy.type` says so",
    )


class SparkConfig(Section):
    """A Spark cluster. Not tried."""

    master: str = Field("local[2]", description="spark://host:port")
    job_server_jar: str | None = Field(None, description="as of Flink")


class DataflowConfig(Section):
    """Google Cloud's Dataflow. Not tried."""

    project: str | None = Field(None, description="needed")
    region: str | None = Field(None, description="needed")
    machine_type: str | None = Field(None, description="of the workers; Dataflow's choice unless given")
    service_account: str | None = Field(None, description="e-mail of the workers' account")


class BeamConfig(Section):
    """The engine under ingestion, statistics, hierarchy, Transform and Evaluator; docs/beam.md."""

    runner: Literal["direct", "flink", "spark", "dataflow"] = Field(
        "direct", description="direct: in this process; spark and dataflow: not tried"
    )
    parallelism: int | None = Field(None, ge=1, description="slots or workers that a job takes; the cluster's default")
    environment: Literal["loopback", "external", "process", "docker"] = Field(
        "loopback",
        description="where Python runs; loopback: in this process (one machine); external: in worker pools; process: "
        "by a command; docker: in `image`",
    )
    worker_pool: str | None = Field(None, description="for external: host:port, as each task manager calls it")
    process_command: str | None = Field(None, description="for process: Beam's `boot`, on each machine")
    image: str | None = Field(None, description="for docker and dataflow: an image with the project and Beam's `boot`")
    job_endpoint: str | None = Field(
        None, description="host:port of a job server that runs already; unless given, each component starts its own"
    )
    temporary: str | None = Field(None, description="a folder or URI all workers see, for Beam's own files")
    flink: FlinkConfig = FlinkConfig()
    spark: SparkConfig = SparkConfig()
    dataflow: DataflowConfig = DataflowConfig()
    options: dict[str, Value] = Field({}, description="any other of Beam's options: name: value; true: the flag alone")

    @model_validator(mode="after")
    def _complete(self):
        environment = "docker" if self.runner == "dataflow" else self.environment
        needed = {"external": "worker_pool", "process": "process_command", "docker": "image"}.get(environment)
        if self.runner != "direct" and needed and getattr(self, needed) is None:
            raise ValueError(f"`{needed}` must be given with environment {environment}. Received: none")
        if self.runner == "dataflow":
            given = {f"dataflow.{key}": getattr(self.dataflow, key) for key in ("project", "region")}
            for key, value in (given | {"temporary": self.temporary}).items():
                if value is None:
                    raise ValueError(f"`{key}` must be given with runner dataflow. Received: none")
        if self.runner == "direct" and (wrong := sorted(_DIRECT_PROCESSES & set(self.options))):
            raise ValueError(
                f"`options.{wrong[0]}`: Beam's direct runner is taken with one process only, for rows were reported "
                "lost between several; `runner: flink` uses all cores"
            )
        names = {argument.partition("=")[0].removeprefix("--") for argument in _own_arguments(self)}
        if twice := sorted(names & set(self.options)):
            raise ValueError(f"`options.{twice[0]}` is set by the other keys of `beam` already; take it out")
        return self


class BeamError(RuntimeError):
    """A configuration that cannot be run where it is to be."""


def beam_arguments(beam: BeamConfig, artifacts: str) -> list[str]:
    """What Beam is to be told: none for the direct runner, whose defaults are right for one machine.

    Args:
      beam: the section.
      artifacts: where components write, which all workers must see.

    Raises:
      BeamError: if the workers cannot see ``artifacts``.
    """
    if beam.runner == "dataflow" and "://" not in artifacts:
        raise BeamError(f"`beam.runner: dataflow` needs artifacts in a bucket of gs://. Received: {artifacts}")
    more = []
    for name, value in beam.options.items():
        if isinstance(value, list):
            more += [f"--{name}={each}" for each in value]
        elif value is not False:
            more.append(f"--{name}" if value is True else f"--{name}={value}")
    own = _own_arguments(beam)
    if more and not any(argument.startswith("--sdk_container_image=") for argument in own + more):
        own.append(f"--sdk_container_image={_NO_IMAGE}")
    return own + more


def _own_arguments(beam: BeamConfig) -> list[str]:
    if beam.runner == "direct":
        return []
    if beam.runner == "dataflow":
        arguments = {
            "runner": "DataflowRunner",
            "project": beam.dataflow.project,
            "region": beam.dataflow.region,
            "worker_machine_type": beam.dataflow.machine_type,
            "service_account_email": beam.dataflow.service_account,
            "max_num_workers": beam.parallelism,
            "sdk_container_image": beam.image,
        }
    else:
        arguments = {
            "runner": "PortableRunner" if beam.job_endpoint else f"{beam.runner.capitalize()}Runner",
            "job_endpoint": beam.job_endpoint,
            "environment_type": beam.environment.upper(),
            "environment_config": {"external": beam.worker_pool, "docker": beam.image}.get(beam.environment),
            "environment_option": f"process_command={beam.process_command}" if beam.environment == "process" else None,
            "sdk_container_image": beam.image or _NO_IMAGE,
        }
    if beam.runner == "flink":
        arguments |= {
            "flink_master": None if beam.job_endpoint else beam.flink.master,
            "flink_version": beam.flink.version,
            "flink_job_server_jar": None if beam.job_endpoint else beam.flink.job_server_jar,
            "parallelism": beam.parallelism,
            "execution_mode_for_batch": beam.flink.execution_mode,
        }
    if beam.runner == "spark":
        arguments |= {
            "spark_master_url": None if beam.job_endpoint else beam.spark.master,
            "spark_job_server_jar": None if beam.job_endpoint else beam.spark.job_server_jar,
        }
    arguments["temp_location"] = beam.temporary
    return [f"--{name}={value}" for name, value in arguments.items() if value is not None]
