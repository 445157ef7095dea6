"""Conversion of downloads into the files that the data sets read: one converter per file, run by ``runner.py``."""
