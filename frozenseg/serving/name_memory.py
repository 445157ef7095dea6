"""Text embeddings of single names, so that a changed vocabulary encodes its new names only.

The embeddings of a name that is encoded with others differ in the last digits; programs, whose vocabularies are encoded
as a whole, do not use this memory.
"""

from collections import OrderedDict

import torch
from torch import Tensor

from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.vocabulary import Vocabulary

MAX_REMEMBERED_NAMES = 10_000  # 40 MiB with 1024 channels


class NameMemory:
    """Memory of the names of all sessions; used by the thread of the model only.

    Args:
        classifier: of the model.
        limit: number of names; beyond it the least recently used ones are forgotten.
    """

    def __init__(self, classifier: TextClassifier, limit: int = MAX_REMEMBERED_NAMES) -> None:
        self._classifier, self._limit = classifier, limit
        self._rows: OrderedDict[str, Tensor] = OrderedDict()  # (E,) each

    def prepare(self, vocabulary: Vocabulary) -> int:
        """Encode the new names of a vocabulary, and keep it in the memory of the classifier; returns their number."""
        if self._classifier.remembers(vocabulary):
            return 0
        names = tuple(dict.fromkeys(vocabulary.synonyms))
        new = tuple(name for name in names if name not in self._rows)
        if new:
            self._rows.update(zip(new, self._classifier.embed(new), strict=True))
        for name in names:
            self._rows.move_to_end(name)
        self._classifier.remember(vocabulary, torch.stack([self._rows[name] for name in vocabulary.synonyms]))
        while len(self._rows) > self._limit:
            self._rows.popitem(last=False)
        return len(new)
