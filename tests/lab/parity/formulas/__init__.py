"""Every formula of the model once more, in NumPy and float64, written from its description and not from its code.

Sections (§) are those of the description that the model was built by: 2 inputs, 3 CLIP, 4 words, 5 pixel decoder,
6 transformer decoder, 7 losses, 8 test time. Letters: B images, Q queries, C classes, N text rows, L pixels of all
levels in one row, d width. A set of weights is a dict from the state-dict's names, cut at a prefix by ``under``.
"""
