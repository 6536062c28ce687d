"""The folder of a model's versions, watched: the newest is served."""

import dataclasses
import gc
import logging
import pathlib
import threading
import time
from collections.abc import Callable

import grpc
from tensorflow_serving.apis import get_model_status_pb2

from serving.development.errors import Refused
from serving.development.version import Version
from serving.versions import versions_in

_RETRY_SECONDS = 5.0
State = get_model_status_pb2.ModelVersionStatus.State

_log = logging.getLogger("aislerank.serving")


@dataclasses.dataclass
class Status:
    """What became of a version: its state, and why it could not be loaded."""

    state: State
    error: str = ""


class Model:
    """Serves the version with the highest number in a folder, as TF Serving's policy `latest` does.

    A new version is loaded and warmed up beside the one that serves, which then ends its requests and goes. A version
    that cannot be loaded is tried again every five seconds, while the one before serves on.

    Args:
      name: the model's.
      folder: holds a folder for each version, named by its number.
      poll_seconds: how often it is looked at.
      on_load: called with the folder of each version that was tried to load, and whether it was.
    """

    def __init__(
        self,
        name: str,
        folder: pathlib.Path,
        poll_seconds: float = 1.0,
        on_load: Callable[[str, bool], None] = lambda folder, loaded: None,
    ):
        self.name = name
        self.statuses: dict[int, Status] = {}
        self._folder = folder
        self._poll_seconds = poll_seconds
        self._on_load = on_load
        self._served: Version | None = None
        self._failed_at: dict[int, float] = {}
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="versions", daemon=True)

    def start(self) -> None:
        """Loads the newest version and then watches the folder.

        Raises:
          FileNotFoundError: there is no version.
          RuntimeError: it cannot be loaded.
        """
        if not versions_in(self._folder):
            raise FileNotFoundError(f"{self._folder}: holds no version: no folder named by a number with a SavedModel")
        self.poll()
        if self._served is None:
            [(number, status)] = self.statuses.items()
            raise RuntimeError(f"{self._folder / str(number)}: cannot be loaded: {status.error}")
        self._watcher.start()

    def stop(self) -> None:
        """Ends the watching."""
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def version(self, name: str, number: int | None = None, label: str = "") -> Version:
        """The version that serves a request. It lives on until the caller lets go of it, whatever is swapped meanwhile.

        Raises:
          Refused: another model, version or label was asked for.
        """
        if label:
            raise Refused(f"Unrecognized servable version label: {label}")
        served = self._served
        if name != self.name or number not in (None, served.number):
            asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise Refused(f"Servable not found for request: {asked}", grpc.StatusCode.NOT_FOUND)
        return served

    def poll(self) -> None:
        """Looks at the folder once, and loads its newest version if it is not the one that serves."""
        numbers = versions_in(self._folder)
        if not numbers or (self._served and self._served.number == numbers[-1]):
            return
        newest = numbers[-1]
        if time.monotonic() - self._failed_at.get(newest, -_RETRY_SECONDS) < _RETRY_SECONDS:
            return
        self.statuses[newest] = Status(State.LOADING)
        try:
            self._load(newest, self._folder / str(newest))
        finally:
            gc.collect()  # the graph of a version that was dropped holds itself

    def _load(self, number: int, folder: pathlib.Path) -> None:
        began = time.monotonic()
        try:
            version = Version(number, folder)
        except Exception as error:  # whatever is wrong with it, the version before serves on
            self._failed_at[number] = time.monotonic()
            self.statuses[number] = Status(State.END, f"{type(error).__name__}: {error}"[:500])
            _log.error("version %d cannot be loaded: %s", number, self.statuses[number].error)
            self._on_load(str(folder), False)
            return
        if self._served:
            self.statuses[self._served.number] = Status(State.END)
        self.statuses[number] = Status(State.AVAILABLE)
        self._served = version
        self._on_load(str(folder), True)
        seconds = time.monotonic() - began
        _log.info("version %d serves: %.1f s, %d warm-up requests", number, seconds, version.warm_up_requests)

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                self.poll()
            except OSError as error:
                _log.error("%s cannot be looked at: %s", self._folder, error)
