"""Meta-architectures: FrozenSeg, and FC-CLIP, which is FrozenSeg without SAM."""
