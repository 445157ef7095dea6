"""ToyWorld's own foundation models: a small CLIP and a small SAM, trained from nothing on a CPU."""
