"""python -m pipeline <verb>: see `python -m pipeline --help`."""

import signal
import sys

from absl import app, flags

from pipeline.verbs import ablation, common, compile, component, init, rollback, run, score, serve, simulate

_VERBS = {
    "init": "look at a log, and write the schema and the configuration that read it",
    "run": "ingest a log, train a ranker, evaluate it and push it if it is blessed",
    "tune": "search for the hyperparameters with the best session AUC on the validation split",
    "ablation": "train variants over several seeds on the same transformed requests and compare them",
    "score": "score a folder of raw requests with a pushed model, without a server",
    "serve": "serve the newest pushed model over gRPC and REST",
    "rollback": "serve an earlier pushed version again, and go on from it",
    "compile": "write what an orchestrator needs to run the pipeline",
    "component": "run one component of a pipeline, as the tasks of an orchestrator do",
    "simulate": "write the demo log",
}
_USAGE = """python -m pipeline <verb> [flags]

  init       {init}
             --log=<file or folder> [--out=<folder>] [--name=<name>] [--sample_rows=200000]
             [--header=user_id,item_id,...]...: names, for files without a header row
  run        {run}
             --config=<yaml> [--data=<folder>] [--set model.experts=16]... [--runs=runs]
  tune       {tune}
             flags as of run; the section `tune` of the configuration says what is searched
  ablation   {ablation}
             --variants="dnn,moe,strong=hsc_moe;hsc_weight=1;train.epochs=5" --seeds=1,2,3
             [--baselines=dnn,moe] [--among=item_sub_category=sub_category] [--held_out_leaves=0.1],
             and the flags of run.
             What is trained already is reused. Writes runs/<name>/ablation/report.md, CSV, JSON and plots.
  score      {score}
             --input=<folder> --output=<folder> [--version=<pushed version>] [--overwrite], and
             --config, --data, --set, --runs as of run. No label and no position is read. Writes Parquet.
  serve      {serve}
             --config=<yaml> [--runs=runs] [--backend=auto|tensorflow_model_server|docker|development]
             [--host=127.0.0.1] [--port=8500] [--rest_port=8501]
  rollback   {rollback}
             --config=<yaml> [--runs=runs] [--to=<pushed version>], or --list
  compile    {compile}
             --target=airflow --out=<folder of DAGs>/<name>.aislerank.json, and
             --config, --data, --set, --runs as of run. See docs/airflow.md
             --target=kubeflow --pipeline_root=gs://bucket/demo --image=<image> --out=<file.json|yaml>
             [--noresolvers] [--image_schema=<path or URI>] [--resources=Trainer=8:32,Transform=4:16],
             and --config, --data, --set as of run. See docs/kubeflow.md
  component  {component}
             --id=Trainer --run_id=<the same for all components of a run> [--span=19723], and
             --config, --data, --set, --runs as of run. Prints state, seconds and outputs as JSON.
  simulate   {simulate}
             --out=<folder> [--rows=1000000] [--seed=1] [--format=csv|parquet]
             [--nocategory_taste] [--noinheritance] [--nouser_taste]
             [--days=10 [--drift=0.2] [--new_categories=0.2]]: a file a day, of a shop that changes
""".format(**_VERBS)
_DONE_BY = {
    "init": init.init,
    "run": run.run,
    "tune": run.tune,
    "ablation": ablation.ablation,
    "score": score.score,
    "serve": serve.serve,
    "rollback": rollback.rollback,
    "compile": compile.compile_pipeline,
    "component": component.component,
    "simulate": simulate.write_log,
}


def _main(arguments: list[str]) -> None:
    verb, *rest = arguments[1:] or [""]
    if verb not in _VERBS or rest:
        wrong = " ".join(arguments[1:])
        print(f"unknown: {wrong}\n\n{_USAGE}" if wrong else _USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        _DONE_BY[verb]()
    except common.Refused as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def main() -> None:
    """The command line's entry point."""
    if {"--help", "-h", "--helpshort"} & set(sys.argv[1:]):
        print(_USAGE)
        for module in (common, init, run, ablation, score, serve, rollback, compile, component, simulate):
            if of_module := flags.FLAGS.module_help(module).strip():
                print(of_module.partition("\n")[2])
        from pipeline.config import describe_keys

        print(f"\nKeys of the configuration, for the YAML file and --set, with their defaults:\n{describe_keys()}")
        return
    app.run(_main)


if __name__ == "__main__":
    main()
