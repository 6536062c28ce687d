"""Variants of the ranker, trained over several seeds on the same transformed requests, and compared."""
