"""Names of files that one package writes and another reads."""

# The results of a run, in the run's folder.
SUMMARY_FILE = "summary.json"
# The figures of a training, in the folder of the model run.
TRAINING_FILE = "training.json"
# The folder of withdrawn versions, beside the served ones. ML Metadata has the same word as the custom property of a
# withdrawn model, whose value is the version.
WITHDRAWN = "withdrawn"
