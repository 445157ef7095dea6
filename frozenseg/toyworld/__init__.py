"""ToyWorld: a synthetic open-vocabulary world of coloured, patterned shapes on materials, exact and fast."""
