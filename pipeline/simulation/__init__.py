"""The simulated shop behind the demo log: its categories, its taste and its requests. It holds no real data.

Only entry points import this package (pipeline/verbs/): a run reads the log that they wrote.
"""
