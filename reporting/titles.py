"""What the metrics are called in tables, in the order in which they stand there."""

TITLES = {
    "session_auc": "session AUC",
    "ndcg_at_10": "NDCG@10",
    "mrr": "MRR",
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration": "calibration",
}
