"""The development server under load from another process: requests a second, latency, memory, the first request.

    python -m benchmarks.server --items 100 --connections 1,4 --requests 100000

Server and load share the machine's cores, as they do when one develops. Prints tables and writes JSON.
"""

import contextlib
import pathlib
import re
import shutil
import subprocess
import sys
import time

from absl import app, flags, logging

from benchmarks.harness import markdown_table, write
from benchmarks.made_up_log import SCHEMA, transformed_log
from benchmarks.variants import sections
from benchmarks.workers import REPETITIONS, Program, interleaved, machine_settings, median_figures

_ITEMS = flags.DEFINE_integer("items", 100, "Of a request.")
_CONNECTIONS = flags.DEFINE_list("connections", ["1", "4"], "Callers at a time, each of which waits for its answer.")
_REQUESTS = flags.DEFINE_integer("requests", 100_000, "Sent while memory is watched.")
_IMPRESSIONS = flags.DEFINE_integer("impressions", 300_000, "Of the log that Transform is run on: sets vocabularies.")
_SECONDS = flags.DEFINE_float("seconds", 10.0, "Of a measurement.")
_TOY = flags.DEFINE_bool("toy", False, "Tiny: shows that it runs, no figures to quote.")
_OUT = flags.DEFINE_string("out", "runs/benchmarks/server.json", "The figures.")
_MOST_PARTS = 5  # that memory is looked at after


def main(_) -> None:
    """Measures, prints and writes."""
    from benchmarks.made_up_ranker import export  # TensorFlow: after the flags were read

    logging.set_verbosity(logging.WARNING)
    if _TOY.value:
        for flag, value in {"impressions": 4_000, "repetitions": 1, "seconds": 0.5, "requests": 100}.items():
            flags.FLAGS.set_default(flag, value)
    folder = pathlib.Path(_OUT.value).resolve().parent
    log = transformed_log(folder / "logs", _IMPRESSIONS.value, list_length=5)
    model = sections("adv_hsc_moe", {"experts": 10, "top_k": 4, "disagreeing": 1})["model"]
    schema = SCHEMA.read_text(encoding="utf-8")
    settings = {"schema": schema, "transform_graph": log.transform_graph, "valid_files": log.files("valid")}
    versions = folder / "server-versions"
    shutil.rmtree(versions, ignore_errors=True)
    for warm in ("warm", "cold"):
        version = versions / warm / "1"
        export(settings | {"model": model, "folded": True}, version)
        if warm == "cold":
            (version / "assets.extra" / "tf_serving_warmup_requests").unlink()
    load = {"schema": schema, "items": _ITEMS.value, "seconds": _SECONDS.value, **machine_settings()}

    first = {warm: _first_requests(versions / warm, load, folder) for warm in ("warm", "cold")}
    rows = [(f"{warm}-up file" if warm == "warm" else "none", *figures.values()) for warm, figures in first.items()]
    print(markdown_table(["warm-up", "ready, s", "first request, ms", "second, ms"], rows))

    with _server(versions / "warm", folder) as (process, address, url):
        programs = [
            Program(
                f"{protocol}, {connections}",
                "benchmarks.programs.load",
                load | {"protocol": protocol, "address": address, "url": url, "connections": int(connections)},
            )
            for protocol in ("gRPC", "REST")
            for connections in _CONNECTIONS.value
        ]
        figures = interleaved(programs, REPETITIONS.value, folder / "server.log")
        rows = [(*name.split(", "), *of_program.values()) for name, of_program in median_figures(figures).items()]
        print(markdown_table(["protocol", "connections", "requests a second", "p50, ms", "p99, ms"], rows))
        memory = _memory(process, load | {"address": address, "url": url}, folder)
    print(markdown_table(["requests", "memory of the server, MiB"], list(memory.items())))
    write(_OUT.value, {"first": first, "load": figures, "memory_mib": memory})


@contextlib.contextmanager
def _server(versions: pathlib.Path, folder: pathlib.Path):
    """The development server of a folder of versions: its process, gRPC's address and REST's URL."""
    command = [sys.executable, "-m", "serving.development", f"--model_base_path={versions}"]
    with open(folder / "server.log", "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "--port=0", "--rest_api_port=0"], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        for line in process.stdout:
            if found := re.search(r"gRPC (\S+), REST (http://[^/]+)", line):
                yield process, found[1], found[2]
                break
        else:
            raise RuntimeError(f"the server ended: see {folder / 'server.log'}")
    finally:
        process.terminate()
        process.wait()


def _first_requests(versions: pathlib.Path, load: dict, folder: pathlib.Path) -> dict[str, float]:
    """Seconds until the server is ready, and milliseconds of the first two requests; medians over rounds."""
    rounds = []
    for _ in range(REPETITIONS.value):
        began = time.monotonic()
        with _server(versions, folder) as (_, address, url):
            ready = time.monotonic() - began
            settings = load | {"protocol": "gRPC", "address": address, "url": url, "connections": 1, "requests": 2}
            program = Program("first", "benchmarks.programs.load", settings)
            # The round that is thrown away would be the first request.
            figures = interleaved([program], 1, folder / "server.log", discard=0)["first"]
            rounds.append((ready, figures["first_milliseconds"][0], figures["last_milliseconds"][0]))
    names = ("ready_seconds", "first_milliseconds", "second_milliseconds")
    return {
        name: sorted(values)[len(values) // 2] for name, values in zip(names, zip(*rounds, strict=True), strict=True)
    }


def _memory(process: subprocess.Popen, load: dict, folder: pathlib.Path) -> dict[int, float]:
    """MiB of the server's resident memory by the number of requests it has answered, half over each protocol."""
    memory = {0: _resident(process)}
    parts = min(_MOST_PARTS, max(1, _REQUESTS.value // 100))
    count = _REQUESTS.value // parts // 2
    for part in range(1, parts + 1):
        for protocol in ("gRPC", "REST"):
            settings = load | {"protocol": protocol, "connections": 4, "requests": count}
            interleaved([Program("", "benchmarks.programs.load", settings)], 1, folder / "server.log", discard=0)
        memory[part * 2 * count] = _resident(process)
    return memory


def _resident(process: subprocess.Popen) -> float:
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


if __name__ == "__main__":
    app.run(main)
