"""Comparison of single components: layers, encoders, decoders, and post-processing with the criterion."""
