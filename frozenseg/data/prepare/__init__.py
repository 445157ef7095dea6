"""Raw downloads → the files that the data sets read: one converter a file, run by ``runner.py``."""
