"""SplitScorer: the scores of a split with what they are evaluated by, a row a request."""
