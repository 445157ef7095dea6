"""Output formats of predictions: a file for each, found by the name of its ``OUTPUT_FORMAT``."""
