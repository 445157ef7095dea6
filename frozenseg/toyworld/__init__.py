"""ToyWorld: a synthetic data set of coloured, patterned shapes on materials with exact annotations."""

from frozenseg.toyworld.samples import sample_scene

__all__ = ["sample_scene"]
