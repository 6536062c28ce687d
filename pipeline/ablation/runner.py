"""Runs an ablation: the pipeline up to Transform, the members one after the other, the comparison."""

import dataclasses
import json
import pathlib
from collections.abc import Callable

from common.escaping import one_line
from models.inputs.hierarchy import read_hierarchy
from models.ranker.labels import trained_labels
from models.training.errors import LabelLeak, TrainingFault
from pipeline.ablation.candidates import own_candidates
from pipeline.ablation.compare import compare
from pipeline.ablation.marks import marks
from pipeline.ablation.members import Member, TransformedLog, held_out_leaves
from pipeline.ablation.plan import Plan
from pipeline.ablation.report import page, tables
from pipeline.ablation.report.gate_maps import gate_maps
from pipeline.fingerprint import source_fingerprint, used_rows
from pipeline.lineage import NodeRun
from pipeline.oracle import oracle_session_auc
from pipeline.runners import local
from reporting.files import REPORT_FILE

COMPARISON = "comparison on the test split"  # what comes after the members
_RESULT_FILE = "ablation.json"


class MemberFailed(RuntimeError):
    """A member could not be trained or scored; the message names it, the cause is chained."""


def run(
    plan: Plan,
    runs_folder: str,
    runner: local.LocalRunner,
    on_start: Callable[[str, int, int], None],
    on_finish: Callable[[str], None],
) -> tuple[pathlib.Path, dict]:
    """Trains what is not trained yet and compares all members; writes `ablation.json` and the reports.

    The test split is scored once by each member, when it is trained, and looked at here alone; nothing is chosen by it.

    Args:
      plan: the ablation.
      runs_folder: the run's folder in it is that of `python -m pipeline run`, whose components are reused.
      runner: for the components before the Trainer.
      on_start: called with what begins, its place from 1, and how many there are.
      on_finish: called with how it ended.

    Returns:
      the ablation's folder, and the content of `ablation.json`.

    Raises:
      ComponentFailed, MemberFailed: naming the component or member.
      MembersDiffer: if the members' test requests are not the same.
      Busy: if another process is at work in the run's folder.
    """
    with local.alone_in(plan.config, runs_folder):
        return _run(plan, runs_folder, runner, on_start, on_finish)


def _run(plan: Plan, runs_folder: str, runner: local.LocalRunner, on_start, on_finish) -> tuple[pathlib.Path, dict]:
    run_folder, config = local.run_components(plan.config, plan.schema, runs_folder, runner)
    log = _transformed_log(plan, runner.node_runs)
    hierarchy = read_hierarchy(log.hierarchy)
    if plan.held_out_leaves:
        try:
            log = dataclasses.replace(log, held_out=held_out_leaves(hierarchy, plan.held_out_leaves))
        except ValueError as error:
            raise MemberFailed(f"--held_out_leaves: {error}") from error
    members, failed = _train(plan, log, run_folder / "ablation" / "members", on_start, on_finish)
    folder = run_folder / "ablation" / plan.name
    folder.mkdir(exist_ok=True)
    on_start(COMPARISON, 1, 1)
    simulated = plan.config.simulate is not None
    label = trained_labels(plan.schema, config.model)[0]
    scores = {name: {seed: one.scores() for seed, one in seeds.items()} for name, seeds in members.items()}
    if plan.among:
        own = own_candidates(log.requests, *plan.among, plan.schema)
        scores = {
            name: {seed: dataclasses.replace(one, by_request=own.of(one.by_request)) for seed, one in seeds.items()}
            for name, seeds in scores.items()
        }
    trainings = {name: {seed: one.training() for seed, one in seeds.items()} for name, seeds in members.items()}
    result = {
        "name": config.name,
        "label": label.name,
        "simulated": simulated,
        "marks": marks(plan, len(log.held_out)),
        "seeds": plan.seeds,
        "overrides": plan.overrides,
        "settings": plan.settings,
        "among": plan.among,
        "held_out_leaves": [one_line(hierarchy.levels[-1].keys[leaf - 1]) for leaf in log.held_out],
        "config": config.model_dump(mode="json", by_alias=True, exclude={"model", "train"}),
        "configs": {
            member.label: {"model": member.model.model_dump(), "train": member.train.model_dump(exclude={"seed"})}
            for member in plan.members
        },
        **compare(
            scores,
            trainings,
            hierarchy,
            label.gains,
            plan.baselines,
            # The truth that the log holds is that of clicks, among all that was shown.
            oracle_session_auc(log.requests, "test", config, plan.schema)
            if simulated and not plan.name and label == plan.schema.labels[0]
            else None,
        ),
        "trainings": trainings,
        "failed": failed,
    }
    (folder / _RESULT_FILE).write_text(json.dumps(result, indent=2, ensure_ascii=False), encoding="utf-8")
    maps = gate_maps({name: next(iter(seeds.values())).gates for name, seeds in scores.items()}, hierarchy)
    tables.write(result, folder)
    (folder / REPORT_FILE).write_text(page.render(result, maps), encoding="utf-8")
    on_finish("done")
    return folder, result


def _train(
    plan: Plan, log: TransformedLog, folder: pathlib.Path, on_start, on_finish
) -> tuple[dict[str, dict[int, Member]], dict[str, str]]:
    """The members by label and seed, those that were not there trained; and why others failed, by title.

    A variant of which a training went wrong is compared with nothing, so that it is not among the members at all.
    """
    members: dict[str, dict[int, Member]] = {label: {} for label in plan.labels}
    failed: dict[str, str] = {}
    for place, planned in enumerate(plan.members, start=1):
        if planned.label not in members:
            continue
        on_start(planned.title, place, len(plan.members))
        code = source_fingerprint("pipeline.ablation.members", rows=used_rows(planned.model))
        member = Member(folder, log, planned.model, planned.train, code)
        if member.finished:
            on_finish("trained before, reused")
        else:
            try:
                member.make()
            except LabelLeak as error:
                raise MemberFailed(f"{planned.title} failed: {error}") from error
            except TrainingFault as fault:
                failed[planned.title] = str(fault)
                on_finish(f"failed: {fault}")
                del members[planned.label]
                continue
            except Exception as error:
                raise MemberFailed(f"{planned.title} failed: {error}") from error
            on_finish(f"{member.training()['seconds']:.1f} s")
        members[planned.label][planned.seed] = member
    gone = [label for label in plan.baselines if label not in members] or ([] if members else plan.labels)
    if gone:
        reasons = "\n".join(f"{title}: {fault}" for title, fault in failed.items())
        raise MemberFailed(f"nothing can be compared without {', '.join(gone)}; what was trained is kept.\n{reasons}")
    return members, failed


def _transformed_log(plan: Plan, node_runs: list[NodeRun]) -> TransformedLog:
    outputs = {run.name: run.outputs for run in node_runs}
    transform = outputs["Transform"]
    return TransformedLog(
        plan.schema,
        requests=outputs["ClickLogExampleGen"]["examples"],
        examples=transform["transformed_examples"],
        transform_graph=transform["transform_graph"],
        hierarchy=outputs["CategoryHierarchyGen"]["hierarchy"],
    )
