"""The components of the pipeline."""

import importlib


def __getattr__(name: str):
    """The project's artifact types: under Kubeflow, TFX imports a type by its name, which may hold one dot only."""
    # Not at once: artifacts.py imports TFX, and whoever reads a configuration need not wait for it.
    if name[:1].isupper():
        return getattr(importlib.import_module("components.artifacts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
