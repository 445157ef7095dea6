"""Verbs of the command ``frozenseg``, one module each.

A verb is a module with a docstring, which is its ``--help`` (a summary in one line, an empty line, examples), and two
functions: ``add_arguments(parser)`` and ``run(arguments)``, which returns an exit code, or None for 0. It imports torch
and other slow packages inside ``run``, so that its help is immediate. An optional ``INTERRUPTED_HINT`` is the message
after Ctrl-C. The name of the file is the name of the verb.
"""
