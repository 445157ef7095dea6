"""Timing of this project's metrics against the usual implementations, on synthetic predictions and ground truth."""
