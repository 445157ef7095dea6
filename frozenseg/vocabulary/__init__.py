"""Vocabularies: class names with synonyms, and the prompt templates of the text encoder; pure Python."""

from frozenseg.vocabulary.templates import TEMPLATES
from frozenseg.vocabulary.vocabulary import Vocabulary

__all__ = ["TEMPLATES", "Vocabulary"]
