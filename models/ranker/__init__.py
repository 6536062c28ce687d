"""The ranker: its configuration, its variants, the Keras model and its auxiliary losses."""
