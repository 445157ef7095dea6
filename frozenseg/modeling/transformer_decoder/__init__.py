"""Transformer decoders: queries attend to the scales layer by layer and predict masks and classes after each layer."""
