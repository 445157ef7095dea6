"""Measures of vocabularies that an image has only a part of, on ToyWorld, and their time at full size."""
