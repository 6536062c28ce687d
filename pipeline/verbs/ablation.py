"""ablation: train variants with several seeds on the same transformed requests, and compare them."""

import argparse
import dataclasses
import pathlib

from pipeline.verbs.parser import Parser, Refused, add_run_flags, comma_list, number


def add_flags(parser: Parser) -> None:
    """Adds the verb's flags."""
    parser.description += (
        " Members that are trained already are reused. Writes runs/<name>/ablation/report.html, and its figures as CSV "
        "and JSON."
    )
    add_run_flags(parser)
    parser.add_argument(
        "--variants",
        default="dnn,moe,adv_moe,hsc_moe,adv_hsc_moe",
        help="Names of `model.variant`, or label=variant;key=value;.. with keys of the section model, or train.<key>, "
        'for example "dnn,moe,strong=hsc_moe;hsc_weight=1;train.epochs=5".',
    )
    parser.add_argument("--seeds", default="1,2,3", help="The seeds that each variant is trained with.")
    parser.add_argument(
        "--baselines",
        type=comma_list,
        default=[],
        help="Labels of the variants that all others are compared with; without the flag, dnn and moe.",
    )
    parser.add_argument(
        "--among",
        help="<item feature>=<request feature>: evaluate among the candidates for which the two are equal, for example "
        "item_sub_category=sub_category.",
    )
    parser.add_argument(
        "--held_out_leaves",
        type=number(float, 0.0, 0.9),
        default=0.0,
        help="Hide this share of the leaf categories from the training, and evaluate on their requests, leaf unknown.",
    )


def ablation(flags: argparse.Namespace) -> None:
    """Compares variants over seeds."""
    from pipeline.ablation.plan import read_plan
    from pipeline.config import ConfigError
    from pipeline.terminal.screen import screen

    try:
        plan = read_plan(
            flags.variants,
            flags.seeds,
            flags.config,
            flags.set,
            flags.data,
            flags.baselines,
            flags.among,
            flags.held_out_leaves,
        )
    except ConfigError as error:
        raise Refused(str(error)) from error
    with screen(pathlib.Path(flags.runs) / plan.config.name) as (out, display):
        from pipeline.ablation import runner
        from pipeline.ablation.report import terminal
        from pipeline.runners import local
        from pipeline.simulation.log import with_log
        from reporting.files import REPORT_FILE

        for text in plan.warnings:
            out.print(f"Warning: {text}", markup=False, highlight=False, soft_wrap=True)
        members = [*(member.title for member in plan.members), runner.COMPARISON]
        components = local.LocalRunner(
            display.component_started,
            display.component_finished,
            on_plan=lambda names, last: display.expect([*names, *members], last),
        )
        plan = dataclasses.replace(plan, config=with_log(plan.config, flags.runs))
        folder, result = runner.run(
            plan, flags.runs, components, on_start=display.component_started, on_finish=display.finished
        )
        display.stop()
        out.print(terminal.Table(result), highlight=False)
        out.print(f"{folder}/{REPORT_FILE}", markup=False, highlight=False, soft_wrap=True)
