"""ToyWorld: a synthetic open-vocabulary world of coloured, patterned shapes on materials, exact and fast."""

from frozenseg.toyworld.samples import sample_scene

__all__ = ["sample_scene"]
