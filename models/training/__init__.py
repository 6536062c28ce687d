"""The training of a ranker: entry point, loop, checkpoints, optimizers, supervision, warm start, TensorBoard."""
