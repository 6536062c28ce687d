"""Keras layers. A layer knows its arguments and no configuration."""
