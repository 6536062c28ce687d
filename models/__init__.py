"""Everything that becomes part of a trained model. Imports TensorFlow, never TFX.

Rooms from the bottom up: distributed, inputs, layers, losses, metrics; ranker; training, export, tuning."""
