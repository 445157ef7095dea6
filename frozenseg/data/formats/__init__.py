"""Annotation formats: files on disk → records, one format a file."""
