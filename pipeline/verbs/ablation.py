"""ablation: train variants over several seeds on the same transformed requests and compare them."""

import dataclasses
import pathlib

from absl import flags

from pipeline.verbs.common import CONFIG, DATA, RUNS, SET, Refused

_VARIANTS = flags.DEFINE_string(
    "variants",
    "dnn,moe,adv_moe,hsc_moe,adv_hsc_moe",
    "Names of `model.variant`, or label=variant;key=value;.. with keys of the section model, or train.<key>.",
)
_SEEDS = flags.DEFINE_string("seeds", "1,2,3", "The seeds that each variant is trained with.")
_BASELINES = flags.DEFINE_list(
    "baselines", [], "Labels of the variants that all are compared with; dnn and moe unless named."
)
_AMONG = flags.DEFINE_string(
    "among", None, "<item feature>=<request feature>: judge among the candidates in which they are equal."
)
_HELD_OUT_LEAVES = flags.DEFINE_float(
    "held_out_leaves",
    0.0,
    "Hide this share of the leaf categories from the training, and judge on their requests, leaf unknown.",
    lower_bound=0.0,
    upper_bound=0.9,
)


def ablation() -> None:
    """Compares variants over seeds."""
    from pipeline.ablation.plan import read_plan
    from pipeline.config import ConfigError
    from pipeline.terminal.screen import screen

    try:
        plan = read_plan(
            _VARIANTS.value,
            _SEEDS.value,
            CONFIG.value,
            SET.value,
            DATA.value,
            _BASELINES.value,
            _AMONG.value,
            _HELD_OUT_LEAVES.value,
        )
    except ConfigError as error:
        raise Refused(str(error)) from error
    with screen(pathlib.Path(RUNS.value) / plan.config.name) as (out, display):
        from pipeline.ablation import runner
        from pipeline.ablation.report import page, terminal
        from pipeline.runners import local
        from pipeline.simulation.log import with_log

        for text in plan.warnings:
            out.print(f"Warning: {text}", markup=False, highlight=False, soft_wrap=True)
        members = [*(member.title for member in plan.members), runner.COMPARISON]
        components = local.LocalRunner(
            display.component_started,
            display.component_finished,
            on_plan=lambda names, last: display.expect([*names, *members], last),
        )
        plan = dataclasses.replace(plan, config=with_log(plan.config, RUNS.value))
        folder, result = runner.run(
            plan, RUNS.value, components, on_start=display.component_started, on_finish=display.finished
        )
        display.stop()
        out.print(terminal.Table(result), highlight=False)
        out.print(f"{folder}/{page.REPORT_FILE}", markup=False, highlight=False, soft_wrap=True)
