import pathlib

import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions
from tfx.utils import dependency_utils

from pipeline.beam import BeamConfig, BeamError, beam_arguments
from pipeline.config import ConfigError, load_config

DEMO = pathlib.Path(__file__).resolve().parents[2] / "pipeline" / "configs" / "demo.yaml"


def _arguments(**beam):
    return beam_arguments(BeamConfig.model_validate(beam), "/artifacts")


def test_the_direct_runner_is_told_nothing():
    assert beam_arguments(load_config(DEMO)[0].beam, "/artifacts") == []


def test_beam_understands_what_flink_is_told():
    arguments = _arguments(
        runner="flink",
        parallelism=2,
        environment="docker",
        image="shop/aislerank:1",
        flink={"master": "flink:8081", "job_server_jar": "server.jar"},
        options={"artifacts_dir": "/shared", "experiments": ["a", "b"], "no_auth": True, "auto": False},
    )
    options = PipelineOptions(arguments)
    assert options.view_as(FlinkRunnerOptions).flink_master == "flink:8081"
    assert options.view_as(PortableOptions).environment_type == "DOCKER"
    assert options.view_as(PortableOptions).environment_config == "shop/aislerank:1"
    known = options.get_all_options()
    assert (known["runner"], known["flink_job_server_jar"]) == ("FlinkRunner", "server.jar")
    assert (known["artifacts_dir"], known["experiments"]) == ("/shared", ["a", "b"])
    # These are the job server's options, which Python's Beam hands on.
    assert {"--parallelism=2", "--execution_mode_for_batch=BATCH_FORCED", "--no_auth"} <= set(arguments)
    assert not any("auto" in argument for argument in arguments)


def test_a_job_server_that_runs_already_is_asked():
    arguments = _arguments(runner="flink", job_endpoint="localhost:8099")
    assert {"--runner=PortableRunner", "--job_endpoint=localhost:8099"} <= set(arguments)
    assert not any("flink_master" in argument for argument in arguments)


@pytest.mark.parametrize("beam", [{"runner": "flink"}, {"options": {"direct_embed_docker_python": True}}])
def test_tfx_packs_no_source(beam, monkeypatch):
    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", lambda: pytest.fail("packs TFX's source"))
    arguments = _arguments(**beam)
    assert dependency_utils.make_beam_dependency_flags(arguments) == arguments


def test_dataflow_needs_a_bucket():
    dataflow = {"project": "p", "region": "r"}
    beam = {"runner": "dataflow", "temporary": "gs://b/t", "image": "i", "dataflow": dataflow}
    with pytest.raises(BeamError, match=r"needs artifacts in a bucket of gs://. Received: /artifacts"):
        _arguments(**beam)
    arguments = beam_arguments(BeamConfig.model_validate(beam), "gs://b/artifacts")
    assert {"--runner=DataflowRunner", "--region=r", "--sdk_container_image=i"} <= set(arguments)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["beam.runner=flnk"], "`beam.runner`: Input should be 'direct', 'flink'"),
        (["beam.flink.mastr=a:1"], "unknown key `beam.flink.mastr`. Did you mean `master`?"),
        (["beam.runner=flink", "beam.environment=docker"], "`image` must be given with environment docker"),
        (["beam.runner=dataflow", "beam.image=i"], "`dataflow.project` must be given with runner dataflow"),
        (["beam.options={direct_num_workers: 2}"], "rows were reported lost"),
        (["beam.runner=flink", "beam.options={runner: x}"], "`options.runner` is set by the other keys of `beam`"),
    ],
)
def test_refuses(overrides, message):
    with pytest.raises(ConfigError) as error:
        load_config(DEMO, overrides)
    assert message in str(error.value)
