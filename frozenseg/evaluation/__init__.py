"""Scores: one metric a file, fed image by image, merged over processes, one table out."""
