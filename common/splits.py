"""Names of the splits that a log is divided into."""

TRAIN, VALID, TEST = "train", "valid", "test"

# The split of a window's older spans (`data.window`).
EARLIER = "earlier"
