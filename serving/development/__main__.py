"""python -m serving.development --model_base_path=<folder>: serves the newest version over gRPC and REST."""

import logging as std_logging
import os
import pathlib
import signal
import sys
import threading

from absl import app, flags, logging

_FOLDER = flags.DEFINE_string("model_base_path", None, "Holds a folder for each version.", required=True)
_NAME = flags.DEFINE_string("model_name", "ranker", "What callers call the model.")
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Where the ports open; 0.0.0.0 for all of the machine's addresses.")
_PORT = flags.DEFINE_integer("port", 8500, "gRPC's; 0 for a free one.", lower_bound=0)
_REST_PORT = flags.DEFINE_integer("rest_api_port", 8501, "REST's; 0 for a free one.", lower_bound=0)
_POLL = flags.DEFINE_float(
    "file_system_poll_wait_seconds", 1.0, "How often the folder is looked at for a new version.", lower_bound=0.01
)
_MEGABYTES = flags.DEFINE_float("max_request_megabytes", 16.0, "Larger requests are refused.", lower_bound=0.001)


def main(_) -> None:
    """Serves until interrupted or terminated."""
    # TensorFlow takes seconds to import: wrong flags are told at once.
    from serving.development.server import serve

    logging.set_verbosity(logging.INFO)
    std_logging.getLogger("tensorflow").setLevel(std_logging.ERROR)
    print("This is Aislerank's development server. It is not TF Serving: use that in production.", flush=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(
            _NAME.value,
            pathlib.Path(_FOLDER.value),
            stop,
            host=_HOST.value,
            port=_PORT.value,
            rest_port=_REST_PORT.value,
            poll_seconds=_POLL.value,
            most_bytes=int(_MEGABYTES.value * 1e6),
        )
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app.run(main)
