"""Inputs that a user can name: files, folders, patterns, lists, URLs, standard input, videos and values in memory."""
