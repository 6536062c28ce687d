"""What a verb shows on the terminal while components run: the display, the console, and the end by a signal.

Tables of results are not here: they stand beside the results that they show.
"""
