"""What stands in a run's folder beside its artifacts: locks, ML Metadata, and the versions that a rollback withdraws.

No module here imports TFX.
"""
