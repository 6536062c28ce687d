"""What the benchmarks share: the machine, tables, files, processes on cores of their own."""

import contextlib
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

_PACKAGES = ("tensorflow", "tfx", "apache-beam", "pyarrow", "numpy")

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def machine() -> dict:
    """The CPU's model, flags and cores, memory, load of the last minute, Python's and the libraries' versions."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        facts = [line.partition(":")[::2] for line in file]
    models = [value.strip() for key, value in facts if key.strip() == "model name"]
    flags = {flag for key, value in facts if key.strip() == "flags" for flag in value.split()}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in _FLAGS if flag in flags],
        "memory_gib": round(memory / 2**30, 1),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def markdown_table(header: list[str], rows: list[list]) -> str:
    """A Markdown table; numbers with thousands separated."""

    def cell(value) -> str:
        return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1000 else _plain(value)

    lines = [header, ["---"] * len(header), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(value) -> str:
    return f"{value:,.0f}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def write(path: str | os.PathLike, result: dict) -> None:
    """Writes the result as JSON, with the machine and the command that made it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"command": " ".join(sys.argv), "machine": machine(), **result}
    path.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


def measure_process(command: list[str], core: int | None = None) -> tuple[dict, str]:
    """Runs a command and measures the whole process.

    Args:
      command: what to run.
      core: the one core that the process and all of its threads run on; any, unless given.

    Returns:
      ({``process_seconds``, ``process_cpu_seconds``, ``peak_mib``: the largest resident memory of it or of one of its
      children}, what it wrote to its standard output).

    Raises:
      RuntimeError: if the command fails.
    """
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    pinned = None if core is None else lambda: os.sched_setaffinity(0, {core})
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, preexec_fn=pinned, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)}")
    return {
        "process_seconds": time.monotonic() - began,
        "process_cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }, out


def measure(command: list[str], core: int | None = None) -> dict:
    """As `measure_process`, of a command whose last line of output is a JSON object: adds what that holds."""
    took, out = measure_process(command, core)
    return {**json.loads(out.strip().splitlines()[-1]), **took}


@contextlib.contextmanager
def timed():
    """Gives a dictionary that holds, afterwards, what the block took: ``seconds``, ``cpu_seconds`` of all threads, and
    ``imports_mib``: the largest resident memory before it."""
    took = {"imports_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    began, cpu = time.monotonic(), time.process_time()
    yield took
    took |= {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - cpu}


def medians(measured: list[dict]) -> dict:
    """The median of each figure of several runs."""
    figures = [key for key, value in measured[0].items() if isinstance(value, (int, float))]
    return {key: statistics.median(run[key] for run in measured) for key in figures}


def take_turns(commands: dict[str, list[str]], repetitions: int, core: int | None = None) -> dict[str, list[dict]]:
    """`measure` of several commands, one after the other and then again: {name: its runs}."""
    runs: dict[str, list[dict]] = {name: [] for name in commands}
    for _ in range(repetitions):
        for name, command in commands.items():
            runs[name].append(measure(command, core))
    return runs
