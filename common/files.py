"""Names of files that one package writes and another reads."""

# What a run came to, in the folder of the run.
SUMMARY_FILE = "summary.json"
# What a training did, in the folder of the model run.
TRAINING_FILE = "training.json"
# The folder, beside the served versions, of the versions that a rollback took back. The same word is the custom
# property of such a model.
WITHDRAWN = "withdrawn"
