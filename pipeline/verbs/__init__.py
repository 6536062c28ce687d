"""The verbs of `python -m pipeline`: one module each, with its flags."""
