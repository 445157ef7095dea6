"""Words and the sentences around them; pure Python."""

from frozenseg.vocabulary.templates import TEMPLATES
from frozenseg.vocabulary.vocabulary import Vocabulary

__all__ = ["TEMPLATES", "Vocabulary"]
