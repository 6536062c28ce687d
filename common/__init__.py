"""The ground floor: what several packages share. It imports nothing of the project.

Progress and its logger, warnings that are kept, escaping of names, threads, the base class of configuration sections,
and names of splits and files. A tool with one user lives with its user, not here.
"""
