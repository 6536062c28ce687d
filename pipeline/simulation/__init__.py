"""The simulated shop behind the demo log: its shelves, its taste and its requests. No real data is in it."""
