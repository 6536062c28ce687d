"""The server as a whole: a model's folder, gRPC and REST."""

import pathlib
import socket
import threading

import uvicorn

from serving.cores import available_cores
from serving.development import rest, rpc
from serving.development.metrics import Metrics
from serving.development.model import Model

_GRACE_SECONDS = 10
_BACKLOG = 1_024


def serve(
    name: str,
    folder: pathlib.Path,
    stop: threading.Event,
    *,
    host: str,
    port: int,
    rest_port: int,
    poll_seconds: float,
    most_bytes: int,
) -> None:
    """Serves until ``stop`` is set; requests that are under way then are finished.

    Args:
      name: the model's.
      folder: holds a folder for each version.
      stop: see above.
      host: where the ports open.
      port, rest_port: gRPC's and REST's, 0 for free ones; they are printed.
      poll_seconds: how often the folder is looked at.
      most_bytes: of a request.

    Raises:
      OSError, RuntimeError: there is no version, it cannot be loaded, or a port is taken.
    """
    metrics = Metrics()
    model = Model(name, folder, poll_seconds, on_load=metrics.load)
    listener = _listen(host, rest_port)
    threads = max(4, 2 * available_cores())
    named = f"[{host}]" if ":" in host else host
    remote, port = rpc.server(model, metrics, f"{named}:{port}", threads, most_bytes)
    model.start()
    remote.start()
    config = uvicorn.Config(
        rest.application(model, metrics, most_bytes),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
    )
    web = uvicorn.Server(config)
    web_thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, name="rest", daemon=True)
    web_thread.start()
    print(f"{name}: gRPC {named}:{port}, REST http://{named}:{listener.getsockname()[1]}/v1/models/{name}", flush=True)
    while web_thread.is_alive() and not stop.wait(1.0):
        pass
    if not stop.is_set():
        raise RuntimeError("the REST interface ended")
    remote.stop(_GRACE_SECONDS).wait()
    web.should_exit = True
    web_thread.join(_GRACE_SECONDS)
    model.stop()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that a taken port is told before anything is loaded."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise RuntimeError(f"{host}:{port}: cannot listen: {error.strerror}") from error
    return listener
