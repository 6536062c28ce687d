"""A day of raw requests, scored by a pushed model without a server."""
