"""A Flink cluster on this machine, and Beam's job server for it: jars from Maven Central, processes, shutting down."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import zipfile

POM = pathlib.Path("deploy/flink/pom.xml")
VERSION = "1.19"  # of Flink, as in the pom
_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
# Flink looks into the JDK's own classes; since Java 16 that has to be allowed.
_OPENS = ("lang", "lang.invoke", "lang.reflect", "math", "net", "nio", "io", "text", "time", "util", "util.concurrent")
_SECONDS_TO_START = 60.0


def fetch_jars(folder: str | os.PathLike) -> pathlib.Path:
    """The jars of the pom, fetched by Maven once and again when the pom changes.

    Returns:
      the job server's jar, as `beam.flink.job_server_jar` takes it; it names the others, which lie beside it.

    Raises:
      RuntimeError: if Maven or Java is not there, or Maven fails.
    """
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise RuntimeError(f"`{program}` is not on PATH: Flink needs Java 11 or 17, and Maven to be fetched")
    folder = pathlib.Path(folder).resolve()
    jar, stamp = folder / "job-server.jar", folder / ".made-from"
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    if jar.exists() and stamp.exists() and stamp.read_text() == wanted:
        return jar
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
    fetched = subprocess.run(["mvn", "-B", "-q", "-f", str(POM), *goal], capture_output=True, text=True)
    if fetched.returncode:
        raise RuntimeError(f"Maven could not fetch the jars of {POM}:\n{fetched.stdout}{fetched.stderr}")
    with zipfile.ZipFile(jar, "w") as file:
        file.writestr(
            "META-INF/MANIFEST.MF", _manifest(sorted(path.name for path in folder.glob("*.jar") if path != jar))
        )
    stamp.write_text(wanted)
    return jar


def _manifest(jars: list[str]) -> str:
    """A manifest whose class path is some jars of the same folder; its lines may have 72 bytes."""
    path = f"Class-Path: {' '.join(jars)}"
    lines = [path[:70], *(f" {path[i : i + 69]}" for i in range(70, len(path), 69))]
    return "\r\n".join(["Manifest-Version: 1.0", f"Main-Class: {_SERVER}", *lines, "", ""])


class Cluster:
    """One job manager, and task managers that come and go. A context: at its end every process is gone.

    Args:
      jar: of `fetch_jars`.
      folder: for logs and what Flink keeps; must not be there.
    """

    def __init__(self, jar: pathlib.Path, folder: str | os.PathLike):
        self._jar, self._folder = jar, pathlib.Path(folder).resolve()
        self._processes: list[subprocess.Popen] = []
        self._rpc, self._rest = _free_port(), _free_port()

    @property
    def address(self) -> str:
        """As `beam.flink.master` takes it."""
        return f"localhost:{self._rest}"

    def start_job_server(self) -> str:
        """Starts Beam's job server, one for all jobs; returns what `beam.job_endpoint` takes."""
        port = _free_port()
        options = ["--flink-master", f"http://{self.address}", "--artifacts-dir", str(self._folder / "artifacts")]
        options += ["--job-port", str(port), "--artifact-port", "0", "--expansion-port", "0"]
        self._spawn("job-server", ["java", "-Xmx1g", "-jar", str(self._jar), *options])
        self._wait("the job server", lambda: _listens(port))
        return f"localhost:{port}"

    def __enter__(self):
        (self._folder / "conf").mkdir(parents=True)
        (self._folder / "conf" / "flink-conf.yaml").write_text("")
        self._start(_JOB_MANAGER, "-Xmx1g")
        self._wait("the job manager", lambda: self.get("overview") is not None)
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def start_task_manager(self, slots: int) -> subprocess.Popen:
        """Starts one and waits until its slots can be had."""
        before = self._task_managers()
        process = self._start(
            _TASK_MANAGER,
            "-Xmx1g",
            **{
                "taskmanager.memory.framework.heap.size": "128m",
                "taskmanager.memory.framework.off-heap.size": "128m",
                "taskmanager.memory.jvm-metaspace.size": "256m",
                "taskmanager.memory.jvm-overhead.min": "192m",
                "taskmanager.memory.jvm-overhead.max": "192m",
                "taskmanager.numberOfTaskSlots": slots,
                "taskmanager.cpu.cores": float(slots),
                "taskmanager.memory.task.heap.size": "768m",
                "taskmanager.memory.task.off-heap.size": "128m",
                "taskmanager.memory.managed.size": f"{256 * slots}m",
                "taskmanager.memory.network.min": "256m",
                "taskmanager.memory.network.max": "256m",
                # Sorted shuffles take 512 buffers each, and Transform has dozens.
                "taskmanager.network.sort-shuffle.min-parallelism": 64,
            },
        )
        self._wait("the task manager", lambda: self._task_managers() - before)
        return process

    def get(self, path: str) -> dict | None:
        """What the job manager's REST interface says; None while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/{path}", timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return None

    def _task_managers(self) -> set[str]:
        """The names of those that are registered, lost ones among them until their heartbeat is missed."""
        return {found["id"] for found in self.get("taskmanagers")["taskmanagers"]}

    def _start(self, main: str, *java: str, **settings) -> subprocess.Popen:
        settings |= {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": self._rpc,
            "jobmanager.memory.process.size": "1600m",
            "rest.address": "localhost",
            "rest.port": self._rest,
            "io.tmp.dirs": self._folder / "tmp",
            # Of a batch job, Flink looks at this one only, not at the restart options that Beam hands over. A lost
            # machine makes hundreds of tasks fail until Flink misses its heartbeat: this strategy counts those that
            # fail within one delay as one, where fixed-delay counts each.
            "restart-strategy.type": "exponential-delay",
            "restart-strategy.exponential-delay.initial-backoff": "2 s",
            "restart-strategy.exponential-delay.max-backoff": "10 s",
            "restart-strategy.exponential-delay.attempts-before-reset-backoff": 30,
        }
        (self._folder / "tmp").mkdir(exist_ok=True)
        opens = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENS]
        command = ["java", *java, *opens, "-cp", str(self._jar), main, "--configDir", str(self._folder / "conf")]
        command += [f"-D{key}={value}" for key, value in settings.items()]
        return self._spawn(main.rpartition(".")[2], command)

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen:
        with (self._folder / f"{name}-{len(self._processes)}.log").open("wb") as file:
            # A group of its own: what interrupts the benchmark must not reach it before the benchmark ends it.
            process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        self._processes.append(process)
        return process

    def _wait(self, what: str, there) -> None:
        deadline = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < deadline:
            with contextlib.suppress(TypeError):  # nobody answers yet
                if there():
                    return
            if self._processes[-1].poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError(f"{what} of Flink did not start; its log is in {self._folder}")


def kill(process: subprocess.Popen) -> None:
    """SIGKILL, as when a machine is lost."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("localhost", port)) == 0
