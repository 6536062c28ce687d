"""What the model report, the ablation and the comparison of runs share.

Pages, charts, words, estimates, statistics. What one of them alone needs lives with it. Nothing here reads an artifact.
"""
