"""Ensembles at test time: the decoder's class scores, CLIP's class scores under each mask, and SAM's mask proposals."""
