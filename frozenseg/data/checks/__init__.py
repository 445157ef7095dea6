"""Checks of data sets before a run: files, contents, overview, contact sheets."""
