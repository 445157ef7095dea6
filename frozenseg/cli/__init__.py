"""Command ``frozenseg``: one module in ``verbs`` for each job, found by its file name."""
