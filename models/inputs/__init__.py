"""From the roles of a schema to tensors.

Features, preprocessing, reading of transformed requests, vocabularies, the category hierarchy. A layer with weights
belongs to models/layers.
"""
