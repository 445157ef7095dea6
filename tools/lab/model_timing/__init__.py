"""Timing of a model and of a training step by part, also against another checkout of this project."""
