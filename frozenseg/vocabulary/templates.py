"""Prompt templates: the 14 sentences into which every class name is inserted for the text encoder.

They are those of the published protocol (list of ViLD, Gu et al., 2022, as used for open-vocabulary segmentation). Full
stops are as published, and the article is always "a", also before vowels.
"""

TEMPLATES: tuple[str, ...] = (
    "a photo of a {}.",
    "This is a photo of a {}",
    "There is a {} in the scene",
    "There is the {} in the scene",
    "a photo of a {} in the scene",
    "a photo of a small {}.",
    "a photo of a medium {}.",
    "a photo of a large {}.",
    "This is a photo of a small {}.",
    "This is a photo of a medium {}.",
    "This is a photo of a large {}.",
    "There is a small {} in the scene.",
    "There is a medium {} in the scene.",
    "There is a large {} in the scene.",
)
