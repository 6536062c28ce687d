"""The pipeline for TFX's own command line, which runs this file and passes no flags, so that it reads the environment.

export AISLERANK_CONFIG=pipeline/configs/amazon.yaml AISLERANK_DATA=/logs/amazon
tfx pipeline create --engine=local --pipeline_path=pipeline/runners/tfx_cli.py
tfx run create --engine=local --pipeline_name=amazon
"""

import os
import shlex

from pipeline.config import load_config
from pipeline.runners.local import LocalRunner, run


def main() -> None:
    """Runs the pipeline of the configuration that the environment names."""
    config, schema = load_config(
        os.environ.get("AISLERANK_CONFIG", "pipeline/configs/demo.yaml"),
        shlex.split(os.environ.get("AISLERANK_SET", "")),
        os.environ.get("AISLERANK_DATA"),
    )
    runs_folder = os.environ.get("AISLERANK_RUNS", "runs")
    if config.data.path is None:
        from pipeline.simulation.log import with_log

        config = with_log(config, runs_folder)
    run(config, schema, runs_folder, LocalRunner())


if __name__ == "__main__":
    main()
