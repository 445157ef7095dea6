"""Evaluation of one model on several benchmarks: protocols, results, previews."""
