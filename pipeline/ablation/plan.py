"""What an ablation trains, read from the command line and checked before anything starts.

    --variants "dnn,moe,strong=hsc_moe;hsc_weight=1;train.epochs=5" --seeds 1,2,3

A variant is one of `model.variant`'s names, or ``label=variant;key=value;..``: keys of the section `model`, of `train`
with the prefix ``train.``.
"""

import dataclasses
import re
from collections.abc import Iterable

from models.ranker.config import ModelConfig
from models.ranker.labels import trained_labels
from models.training.config import TrainConfig
from pipeline.config import ConfigError, RunConfig, load_config
from pipeline.sections import unused_keys
from schemas.log_schema import LogSchema

# Commas inside of brackets belong to a list, as in hidden=[64,32].
_COMMA = re.compile(r",(?![^\[]*\])")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FIXED_KEYS = ("model.variant", "train.seed")  # They have places of their own.


@dataclasses.dataclass(frozen=True)
class PlannedMember:
    """A variant with one seed.

    Attributes:
      label: the variant's, as in tables.
      seed: of the training.
      model, train: the sections of its configuration.
    """

    label: str
    seed: int
    model: ModelConfig
    train: TrainConfig

    @property
    def title(self) -> str:
        """For the screen and for messages."""
        return f"{self.label}, seed {self.seed}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """An ablation.

    Attributes:
      config: of the pipeline up to Transform; its sections `model` and `train` are the first member's.
      schema: of the log.
      members: seed by seed, so that one that was stopped can be shown with the seeds it came to.
      overrides: what stood on the command line for all variants.
      settings: what stood there for each, by label.
      baselines: labels of the variants that all are compared with; empty for dnn and moe.
      among: an item feature and a request feature, to judge among the candidates in which they are equal; or None.
      held_out_leaves: share of the leaf categories that training must not see and members are judged on; or 0.
    """

    config: RunConfig
    schema: LogSchema
    members: tuple[PlannedMember, ...]
    overrides: tuple[str, ...]
    settings: dict[str, str]
    baselines: tuple[str, ...] = ()
    among: tuple[str, str] | None = None
    held_out_leaves: float = 0.0

    @property
    def name(self) -> str:
        """The name of the folder of its results, inside the ablation's; empty for the folder itself."""
        parts = [f"held-out-leaves-{self.held_out_leaves:g}"] if self.held_out_leaves else []
        return "-".join([*parts, f"among-own-{'-'.join(self.among)}"] if self.among else parts)

    @property
    def warnings(self) -> list[str]:
        """Of each variant's own keys, those that it does not read."""
        of_one_seed = self.members[: len(self.settings)]
        return [
            f"{member.label}: {text}"
            for member in of_one_seed
            for text in unused_keys(member.model, _keys(self.settings[member.label]))
        ]

    @property
    def labels(self) -> list[str]:
        """The variants, in their order."""
        return list(self.settings)

    @property
    def seeds(self) -> list[int]:
        """The seeds, in their order."""
        return list(dict.fromkeys(member.seed for member in self.members))


def read_plan(
    variants: str,
    seeds: str,
    path: str,
    overrides: Iterable[str] = (),
    data: str | None = None,
    baselines: Iterable[str] = (),
    among: str | None = None,
    held_out_leaves: float = 0.0,
) -> Plan:
    """Reads the flags of that name; ``path``, ``overrides`` and ``data`` are those of `load_config`.

    Raises:
      ConfigError: naming flag, key, value and what is allowed.
    """
    settings, overrides = _settings(variants), tuple(overrides)
    for override in overrides:
        if (key := override.partition("=")[0].strip()) in (*_FIXED_KEYS, "stop_after"):
            raise ConfigError(f"--set {override}: `{key}` cannot be set for an ablation; see --variants and --seeds")
    baselines = tuple(baselines)
    for baseline in baselines:
        if baseline not in settings:
            raise ConfigError(f"--baselines must be some of {', '.join(settings)}. Received: {baseline!r}")
    members, first = [], None
    for seed in _seeds(seeds):
        for label, setting in settings.items():
            own = [*_overrides(setting), f"train.seed={seed}", "stop_after=transform"]
            try:
                config, schema = load_config(path, [*overrides, *own], data)
            except ConfigError as error:
                raise ConfigError(f"--variants {setting}, seed {seed}: {error}") from error
            first = first or (config, schema)
            judged_by, label_of_first = (trained_labels(schema, c.model)[0].name for c in (config, first[0]))
            if judged_by != label_of_first:
                raise ConfigError(
                    f"--variants {setting}: is judged by {judged_by}, its first task, and the first variant by "
                    f"{label_of_first}: they cannot be compared"
                )
            members.append(PlannedMember(label, seed, config.model, config.train))
    return Plan(*first, tuple(members), overrides, settings, baselines, _among(among, first[1]), held_out_leaves)


def _among(text: str | None, schema: LogSchema) -> tuple[str, str] | None:
    if text is None:
        return None
    item_feature, _, request_feature = (part.strip() for part in text.partition("="))
    for name, scope in ((item_feature, "item"), (request_feature, "request")):
        allowed = [f.name for f in schema.features if f.scope == scope and f.dtype == "bytes" and not f.is_history]
        if name not in allowed:
            raise ConfigError(
                "--among must be <item feature>=<request feature>, text features both, as in "
                f"item_sub_category=sub_category. Of the {scope} there are {', '.join(allowed)}. Received: {text!r}"
            )
    return item_feature, request_feature


def _settings(text: str) -> dict[str, str]:
    """The variants by label."""
    settings = {}
    for setting in (part.strip() for part in _COMMA.split(text)):
        head, *keys = setting.split(";")
        label, equals, variant = (part.strip() for part in head.partition("="))
        if keys and not equals:
            raise ConfigError(f"--variants {setting}: keys need a label, as in name={setting}")
        if not _LABEL.fullmatch(label) or (equals and not variant):
            raise ConfigError(
                "--variants must be names, or label=variant;key=value, separated by commas, as in "
                f'"dnn,strong=hsc_moe;hsc_weight=1". Received: {setting!r}'
            )
        if label in settings:
            raise ConfigError(f"--variants: {label!r} stands there twice; give one of them another label")
        settings[label] = setting
    return settings


def _overrides(setting: str) -> list[str]:
    """A variant as overrides of the run's configuration."""
    head, *pairs = setting.split(";")
    overrides = [f"model.variant={head.rpartition('=')[2].strip()}"]
    for pair in (pair.strip() for pair in pairs):
        key = pair if pair.startswith(("model.", "train.")) else f"model.{pair}"
        if (name := key.partition("=")[0].strip()) in _FIXED_KEYS:
            raise ConfigError(f"--variants {setting}: `{name}` cannot be set for one variant")
        overrides.append(key)
    return overrides


def _keys(setting: str) -> set[str]:
    return {override.partition("=")[0].strip() for override in _overrides(setting)}


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len({int(part) for part in parts}) != len(parts):
        raise ConfigError(f"--seeds must be different whole numbers from 0, as in 1,2,3. Received: {text!r}")
    return [int(part) for part in parts]
