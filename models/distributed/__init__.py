"""Training by several processes or devices.

Strategies, what replicas tell each other, and the cluster of worker processes. The program of a worker is
models/training/worker.py.
"""
