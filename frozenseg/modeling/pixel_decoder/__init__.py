"""Pixel decoders: from the maps of the frozen encoders to mask features and the three scales that queries attend to."""
