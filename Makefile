# Everything here is `python -m pipeline <verb>`; `make` adds the virtual environment.
CONFIG ?= pipeline/configs/demo.yaml
DATA ?=
ARGS ?=
CHROMIUM ?=
export PYTHON CHROMIUM

python := .venv/bin/python
data := $(if $(DATA),--data $(DATA))

.PHONY: help environment init run tune ablation compare tensorboard score serve rollback airflow kubeflow test test-fast fuzz \
	bench kills flink lint format lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

environment:
	@bash deploy/environment.sh .venv requirements.lock

LOG ?=
init: environment  ## look at a log, write its schema and configuration: LOG=<file or folder> ARGS="--name=shop --out=."
	@$(python) -m pipeline init --log "$(LOG)" $(ARGS)

run: environment  ## run the pipeline: CONFIG=<yaml> DATA=<folder> ARGS="--set model.variant=moe"
	@$(python) -m pipeline run --config $(CONFIG) $(data) $(ARGS)

tune: environment  ## search for hyperparameters: CONFIG=<yaml> DATA=<folder> ARGS="--set tune.trials=30"
	@$(python) -m pipeline tune --config $(CONFIG) $(data) $(ARGS)

ablation: environment  ## compare variants over seeds: CONFIG, DATA, ARGS='--variants="dnn,moe" --seeds=1,2,3'
	@$(python) -m pipeline ablation --config $(CONFIG) $(data) $(ARGS)

A ?=
B ?=
compare: environment  ## compare two finished runs, the second with the first: A=runs/monday B=runs/tuesday ARGS="--out=<file>.html"
	@$(python) -m pipeline compare "$(A)" "$(B)" $(ARGS)

tensorboard: environment  ## show the trainings of a run in TensorBoard on port 6006: CONFIG, ARGS="--port=6007"
	@$(python) -m pipeline tensorboard --config $(CONFIG) $(ARGS)

serve: environment  ## serve the newest pushed model on ports 8500 (gRPC) and 8501 (REST): CONFIG, ARGS="--port=9000"
	@$(python) -m pipeline serve --config $(CONFIG) $(ARGS)

rollback: environment  ## serve the version before the present again: CONFIG, ARGS="--to=<pushed version>" or ARGS=--list
	@$(python) -m pipeline rollback --config $(CONFIG) $(ARGS)

score: environment  ## score raw requests offline: CONFIG, INPUT=<folder> OUTPUT=<folder> ARGS="--version=<pushed version>"
	@$(python) -m pipeline score --config $(CONFIG) $(data) --input "$(INPUT)" --output "$(OUTPUT)" $(ARGS)

airflow: environment  ## three days under a real Airflow, in an environment of its own, with a training killed half-way
	@bash deploy/environment.sh .venv-airflow requirements-airflow.lock alone
	@$(python) deploy/airflow/demo.py .venv-airflow

ROOT ?= gs://bucket/demo
IMAGE ?= registry/aislerank:tag
kubeflow: environment  ## compile the pipeline for Kubeflow: CONFIG, DATA=gs://.. ROOT=gs://.. IMAGE=<image> ARGS="--noresolvers"
	@$(python) -m pipeline compile --target kubeflow --config $(CONFIG) --data "$(or $(DATA),gs://bucket/log)" \
		--pipeline_root "$(ROOT)" --image "$(IMAGE)" --out runs/$(basename $(notdir $(CONFIG)))/kubeflow.json $(ARGS)

parallel := -n 2 --dist loadgroup --no-loadscope-reorder
# A browser that cannot be had is no failure: its tests skip, with the reason.
test: environment  ## every test: ARGS="-k gates"; CHROMIUM=<program> in place of the one that is fetched once
	@$(if $(CHROMIUM),,bash deploy/browser.sh .browser || true)
	@$(python) -m pytest $(parallel) $(ARGS)

test-fast: environment  ## the tests that start no process, pipeline, training or browser
	@$(python) -m pytest $(parallel) -m "not slow" $(ARGS)

fuzzed := tests/serving tests/components/click_log_example_gen tests/schemas tests/pipeline/test_config_fuzz.py
fuzz: environment  ## malformed requests, logs, schemas and configurations by the ten thousand; version swaps
	@$(python) -m pytest $(fuzzed) --hypothesis-profile=thorough -k "fuzz or faults or versions" $(ARGS)

bench: environment  ## every benchmark: tables here, JSON in runs/benchmarks; ARGS=--toy tries whether they run
	@for name in train strategies growth serve server ingest hierarchy pipeline; do $(python) -m benchmarks.$$name $(ARGS) || exit 1; done

kills: environment  ## kill the pipeline 50 times at random moments and compare what it ends with: ARGS=--kills=200
	@$(python) -m tests.kills $(ARGS)

flink: environment  ## a million impressions through a Flink cluster on this machine, compared with the direct runner
	@$(python) -m benchmarks.flink $(ARGS)

lint: environment  ## ruff: lint and format, changes nothing
	@$(python) -m ruff check . && $(python) -m ruff format --check .

format: environment  ## ruff: mend what can be mended
	@$(python) -m ruff check --fix . ; $(python) -m ruff format .

lock: environment  ## resolve setup.py and requirements-airflow.in into their locks anew, keeping the pins that still fit
	@.venv/bin/uv pip compile --quiet setup.py --extra dev --python-version 3.10 --no-header --no-emit-index-url \
		-o requirements.lock
	@.venv/bin/uv pip compile --quiet requirements-airflow.in --python-version 3.10 --no-header --no-emit-index-url \
		-o requirements-airflow.lock

clean:  ## remove the environment and all runs
	rm -rf .venv .venv-airflow .browser runs
