"""The assembled models: FrozenSeg, and FC-CLIP, which is FrozenSeg without SAM."""
