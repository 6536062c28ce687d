"""Errors that end a training."""


class TrainingFault(RuntimeError):
    """A training must not go on; the message says at which step, what was found, and what to do."""


class LabelLeak(TrainingFault):
    """The validation split is ranked almost perfectly: a fault of the log, whatever the configuration."""
