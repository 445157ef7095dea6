"""Pretraining of ToyWorld's small CLIP and small SAM: scenes, losses, training loop, scores and model cards."""
