"""What can be known of the deployment without a cluster or a docker engine: forms, and that the files agree."""

import http.server
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

SERVING = Path(__file__).parents[2] / "deploy" / "serving"
CONFIG = SERVING / "config"
KUBERNETES = SERVING / "kubernetes"
MODEL = "ranker"  # pipeline/pipeline.py pushes to serving/ranker/<version>
GRPC, REST = 8500, 8501

# The flags of TF Serving's tensorflow_serving/model_servers/main.cc, where its documentation sends the reader for the
# whole list. The server prints a flag it does not know and goes on without it, so nothing else would tell of a typo.
FLAGS = """
port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms rest_api_enable_cors_support
enable_batching allow_version_labels_for_unavailable_models batching_parameters_file
enable_per_model_batching_parameters model_config_file model_config_file_poll_wait_seconds model_name
model_base_path num_load_threads num_unload_threads max_num_load_retries load_retry_interval_micros
file_system_poll_wait_seconds flush_filesystem_caches tensorflow_session_parallelism
tensorflow_session_config_file tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism
use_alts_credentials ssl_config_file platform_config_file per_process_gpu_memory_fraction saved_model_tags
grpc_channel_arguments grpc_max_threads enable_model_warmup num_request_iterations_for_warmup version
monitoring_config_file remove_unused_fields_from_bundle_metagraph prefer_tflite_model num_tflite_pools
num_tflite_interpreters_per_pool enable_signature_method_name_check xla_cpu_compilation_enabled enable_profiler
thread_pool_factory_config_file
"""


def _yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def _manifests() -> dict[str, dict]:
    """By kind, in the order of kustomization.yaml; the ConfigMap is not among them, kustomize makes it."""
    files = [KUBERNETES / name for name in _yaml(KUBERNETES / "kustomization.yaml")["resources"]]
    manifests = [_yaml(path) for path in files if path.is_file()]
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    assert len(by_kind) == len(manifests), "two manifests of one kind"
    return by_kind


def _container() -> dict:
    (container,) = _manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return container


def _compose() -> dict:
    return _yaml(SERVING / "compose.yaml")["services"]["serving"]


def _flags(arguments: list[str]) -> dict[str, str]:
    pairs = [re.fullmatch(r"--(\w+)=(.+)", argument) for argument in arguments]
    assert all(pairs), arguments
    flags = {pair[1]: pair[2] for pair in pairs}
    assert len(flags) == len(arguments), "a flag twice"
    return flags


def _models_config(text: str) -> model_server_config_pb2.ModelConfig:
    parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = parsed.model_config_list.config
    return model


def _monitoring_config(text: str):
    """tensorflow-serving-api leaves monitoring_config.proto out, so its two messages are built here."""
    file = descriptor_pb2.FileDescriptorProto(name="monitoring_config.proto", package="test", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    monitoring = file.message_type.add(name="MonitoringConfig")
    monitoring.field.add(
        name="prometheus_config",
        number=1,
        type=field.TYPE_MESSAGE,
        label=field.LABEL_OPTIONAL,
        type_name=".test.PrometheusConfig",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("test.MonitoringConfig"))
    return text_format.Parse(text, message())


# The form of each file


@pytest.mark.parametrize("version", ["1.29", "1.34"])
@pytest.mark.parametrize("name", sorted({path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}))
def test_manifests_are_of_kubernetes(name, version):
    manifest = _yaml(KUBERNETES / name)
    assert kubernetes_validate.validate(manifest, version, strict=True) == version
    assert "namespace" not in manifest["metadata"]


def test_compose_follows_its_specification():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, SERVING / "compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_models_config_serves_the_newest_version():
    model = _models_config((CONFIG / "models.config").read_text())
    assert model.name == MODEL
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1
    assert not model.version_labels


def test_models_config_pins_versions_as_its_comment_says():
    text = (CONFIG / "models.config").read_text()
    example = re.findall(r"^# (model_version_policy.*|version_labels.*)$", text, re.MULTILINE)
    policy = re.compile(r"^ *model_version_policy.*$", re.MULTILINE)
    assert len(policy.findall(text)) == 1
    model = _models_config(policy.sub(" ".join(example), text))
    versions = set(model.model_version_policy.specific.versions)
    assert set(model.version_labels) == {"stable", "canary"}
    assert set(model.version_labels.values()) == versions  # a label of a version that is not loaded is refused


def test_monitoring_config_is_one():
    config = _monitoring_config((CONFIG / "monitoring.config").read_text()).prometheus_config
    assert config.enable
    assert config.path == "/monitoring/prometheus/metrics"


def test_kustomizations_name_every_file_and_no_other():
    manifests = {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}
    assert manifests | {"../config"} == set(_yaml(KUBERNETES / "kustomization.yaml")["resources"])
    (generator,) = _yaml(CONFIG / "kustomization.yaml")["configMapGenerator"]
    assert {path.name for path in CONFIG.iterdir()} - {"kustomization.yaml"} == set(generator["files"])
    allowed = {KUBERNETES: {"resources"}, CONFIG: {"configMapGenerator"}}
    for folder, keys in allowed.items():
        kustomization = _yaml(folder / "kustomization.yaml")
        assert kustomization.pop("apiVersion") == "kustomize.config.k8s.io/v1beta1"
        assert kustomization.pop("kind") == "Kustomization"
        assert set(kustomization) == keys


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not here")
def test_kustomize_builds_it_with_the_very_files():
    built = subprocess.run(["kubectl", "kustomize", KUBERNETES], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    manifests = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(built.stdout)}
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, "1.34", strict=True)
    assert set(manifests) == {*_manifests(), "ConfigMap"}
    config = manifests["ConfigMap"]
    assert config["data"] == {name: (CONFIG / name).read_text() for name in ("models.config", "monitoring.config")}
    volumes = manifests["Deployment"]["spec"]["template"]["spec"]["volumes"]
    assert config["metadata"]["name"] in [volume.get("configMap", {}).get("name") for volume in volumes]


# What the files have to agree on


@pytest.mark.parametrize("arguments", [lambda: _compose()["command"], lambda: _container()["args"]])
def test_flags_are_flags_of_the_server_and_its_files_exist(arguments):
    flags = _flags(arguments())
    assert set(flags) <= set(FLAGS.split())
    assert (flags["port"], flags["rest_api_port"]) == (str(GRPC), str(REST))
    for flag in ("model_config_file", "monitoring_config_file"):
        path = Path(flags[flag])
        assert path.parent == Path("/etc/serving")
        assert (CONFIG / path.name).is_file()
    assert flags["tensorflow_intra_op_parallelism"] == "1"
    assert "enable_batching" not in flags  # `rank` has inputs without a batch dimension


def test_compose_and_kubernetes_run_the_same_server():
    compose, container = _compose(), _container()
    assert compose["image"] == container["image"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", container["image"])
    assert compose["entrypoint"] == container["command"] == ["tensorflow_model_server"]
    ours, theirs = _flags(compose["command"]), _flags(container["args"])
    cores = "tensorflow_inter_op_parallelism"
    assert ours.pop(cores) == compose["deploy"]["resources"]["limits"]["cpus"]
    assert theirs.pop(cores) == "$(CORES)"
    assert ours == theirs
    (variable,) = container["env"]
    assert variable["name"] == "CORES"
    source = variable["valueFrom"]["resourceFieldRef"]
    assert source == {"containerName": container["name"], "resource": "limits.cpu"}
    assert container["resources"]["requests"]["cpu"] == container["resources"]["limits"]["cpu"]


def test_the_image_is_of_the_tensorflow_that_saves_the_model():
    lock = (SERVING.parents[1] / "requirements.lock").read_text()
    tensorflow = re.search(r"^tensorflow==(\S+)", lock, re.MULTILINE)[1]
    assert _compose()["image"] == f"tensorflow/serving:{tensorflow}"


def test_the_model_is_looked_for_where_it_is_mounted():
    base = Path(_models_config((CONFIG / "models.config").read_text()).base_path)
    assert base.name == MODEL
    mounts = {mount["target"]: mount for mount in _compose()["volumes"]}
    assert mounts[str(base.parent)]["read_only"]
    assert mounts[str(base.parent)]["source"].endswith(":-../../runs/demo/serving}")
    assert (SERVING / mounts["/etc/serving"]["source"]).resolve() == CONFIG.resolve()

    pod = _manifests()["Deployment"]["spec"]["template"]["spec"]
    mounts = {mount["mountPath"]: mount for mount in _container()["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in mounts.values()} == set(volumes)
    claim = volumes[mounts[str(base.parent)]["name"]]["persistentVolumeClaim"]
    assert mounts[str(base.parent)]["readOnly"]
    assert claim["claimName"] == _manifests()["PersistentVolumeClaim"]["metadata"]["name"]
    (generator,) = _yaml(CONFIG / "kustomization.yaml")["configMapGenerator"]
    assert volumes[mounts["/etc/serving"]["name"]]["configMap"]["name"] == generator["name"]


def test_ports_agree():
    assert [port.split("}:")[1] for port in _compose()["ports"]] == [f"{GRPC}:{GRPC}", f"{REST}:{REST}"]
    named = {port["name"]: port["containerPort"] for port in _container()["ports"]}
    assert named == {"grpc": GRPC, "rest": REST}
    service = _manifests()["Service"]["spec"]["ports"]
    assert {port["name"]: (port["port"], port["targetPort"]) for port in service} == {
        "grpc": (GRPC, "grpc"),
        "rest": (REST, "rest"),
    }


def test_everything_in_the_cluster_speaks_of_the_same_pods():
    manifests = _manifests()
    deployment = manifests["Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    (spread,) = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    target = manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target == {key: deployment[key] for key in ("apiVersion", "kind")} | {"name": deployment["metadata"]["name"]}


def test_a_rollout_and_a_drained_node_leave_a_pod_that_serves():
    manifests = _manifests()
    autoscaler, deployment = manifests["HorizontalPodAutoscaler"]["spec"], manifests["Deployment"]["spec"]
    assert 2 <= autoscaler["minReplicas"] < autoscaler["maxReplicas"]
    assert "replicas" not in deployment
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert manifests["PodDisruptionBudget"]["spec"]["maxUnavailable"] < autoscaler["minReplicas"]
    _, seconds = _container()["lifecycle"]["preStop"]["exec"]["command"]
    assert int(seconds) < deployment["template"]["spec"]["terminationGracePeriodSeconds"]


def test_prometheus_looks_where_the_metrics_are():
    path = _monitoring_config((CONFIG / "monitoring.config").read_text()).prometheus_config.path
    (job,) = _yaml(SERVING / "prometheus.yml")["scrape_configs"]
    assert job["metrics_path"] == path
    (target,) = job["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in _yaml(SERVING / "compose.yaml")["services"]
    assert int(port) == REST
    annotations = _manifests()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"prometheus.io/scrape": "true", "prometheus.io/port": str(REST), "prometheus.io/path": path}


def test_prometheus_gets_its_file():
    prometheus = _yaml(SERVING / "compose.yaml")["services"]["prometheus"]
    assert prometheus["profiles"]  # it does not start unasked
    source, target, mode = prometheus["volumes"][0].split(":")
    assert (SERVING / source).is_file()
    assert mode == "ro"
    assert f"--config.file={target}" in prometheus["command"]


# Probes


def test_probes_ask_the_right_paths():
    container = _container()
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {"rest"}
    can_serve, answers = f"/v1/models/{MODEL}/metadata", f"/v1/models/{MODEL}"
    assert [probe["path"] for probe in probes.values()] == [can_serve, can_serve, answers]


@pytest.mark.parametrize(("served", "healthy"), [("/v1/models/ranker/metadata", True), ("/v1/models/ranker", False)])
def test_the_health_check_of_compose_is_run(served, healthy):
    """Against a server that has one path alone, as it stands in compose.yaml but for the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200 if self.path == served else 404)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert (_health_check(server.server_port) == 0) == healthy
        server.shutdown()
    assert _health_check(server.server_port) != 0  # nobody listens any more


def _health_check(port: int) -> int:
    kind, *command = _compose()["healthcheck"]["test"]
    assert kind == "CMD"
    assert str(REST) in command[-1]
    command[-1] = command[-1].replace(str(REST), str(port)).replace("$$", "$")  # Compose writes $ as $$
    return subprocess.run(command, capture_output=True, timeout=10).returncode
