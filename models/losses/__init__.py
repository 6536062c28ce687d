"""Losses as pure functions of tensors. A loss knows no configuration.

Which losses a ranker has, and their weights, are in models/ranker.
"""
