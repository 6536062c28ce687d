"""Compares two finished runs: which is better, where, and what differs."""
