"""Queries look at the scales, layer by layer, and say a mask and a class after each."""
