"""Annotation formats: from files on disk to records, one format in each file."""
