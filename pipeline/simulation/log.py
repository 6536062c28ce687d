"""The simulated log of a run whose configuration names no log."""

import os
import pathlib

from pipeline.config import RunConfig
from pipeline.fingerprint import source_fingerprint
from pipeline.run_folder.locks import alone
from pipeline.simulation.simulate import simulate


def with_log(config: RunConfig, runs_folder: str | os.PathLike, write: bool = True) -> RunConfig:
    """The configuration with a log: its own, or a simulated one in the run's folder.

    The simulated log is written once for its settings and the simulator's code: the cache would take newer files for a
    new log.

    Args:
      config: as `load_config` gives it.
      runs_folder: holds a folder for each run.
      write: False: name the folder of the simulated log and write nothing.
    """
    if config.data.path is not None:
        return config
    folder = pathlib.Path(runs_folder).resolve() / config.name
    log = folder / _name(config)
    if write and not log.exists():
        with alone(folder / "locks" / "log", log, wait=True):
            if not log.exists():
                unfinished = log.with_name(f"{log.name}.unfinished")
                simulate(unfinished, **config.simulate.model_dump())
                unfinished.rename(log)
    return config.model_copy(update={"data": config.data.model_copy(update={"path": str(log)})})


def _name(config: RunConfig) -> str:
    simulated = config.simulate
    switches = {"category_taste", "inheritance", "user_taste"}
    off = [f"no_{name}" for name, on in simulated.model_dump(include=switches).items() if not on]
    code = source_fingerprint("pipeline.simulation.simulate")[:8]
    return "-".join(["log", str(simulated.rows), str(simulated.seed), *off, code])
