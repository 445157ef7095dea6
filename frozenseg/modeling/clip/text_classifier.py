"""The text classifier: synonyms × templates → one normalised row a synonym.

Letters: N synonyms of all classes, E the width of CLIP's joint space.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.cache import TensorCache
from frozenseg.log import get_logger, progress
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.types import TextEmbeddings
from frozenseg.vocabulary import TEMPLATES, Vocabulary

logger = get_logger(__name__)
BLOCK = 64  # names encoded together
CHUNK = 128  # prompts that go through the text tower at once
LONG_WORK = 3  # blocks from which a progress bar is shown


class TextClassifier:
    """Encodes a vocabulary once and remembers it.

    Args:
        clip: the frozen CLIP.
        cache: keeps rows on disk between runs; None keeps none.
    """

    def __init__(self, clip: FrozenCLIP, cache: TensorCache | None = None) -> None:
        self._clip = clip
        self._cache = cache
        self._remembered: dict[tuple[tuple[str, ...], ...], tuple[Tensor, Tensor]] = {}
        self._weights_hash: str | None = None

    def __call__(self, vocabulary: Vocabulary, void: Tensor) -> TextEmbeddings:
        """Return the words of a vocabulary, the void row last.

        Args:
            vocabulary: C classes with N synonyms.
            void: (1, E) the learned void embedding, not normalised.
        """
        rows, class_index = self._rows_and_classes(vocabulary, void.device)
        return TextEmbeddings(torch.cat([rows, F.normalize(void, dim=-1)]), class_index, len(vocabulary) + 1)

    def embed(self, names: tuple[str, ...]) -> Tensor:
        """Return one row a name, (N, E) float32: encoded in every template, normalised, averaged, normalised."""
        if self._cache is None:
            return self._encode(names)
        if self._weights_hash is None:
            self._weights_hash = self._clip.weights_hash()
        # an activation has no weights, but its name stands among the modules
        content = {"weights": self._weights_hash, "modules": repr(self._clip), "names": names, "templates": TEMPLATES}
        rows = self._cache.load(**content)
        if rows is None:
            rows = self._encode(names)
            self._cache.save(rows, **content)
        return rows

    def _rows_and_classes(self, vocabulary: Vocabulary, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return a vocabulary's rows (N, E) and the class of each, void's last (N + 1,), on the device."""
        remembered = self._remembered.get(vocabulary.classes)
        if remembered is None or remembered[0].device != device:
            class_index = [index for index, names in enumerate(vocabulary.classes) for _ in names]
            remembered = (
                self.embed(vocabulary.synonyms).to(device),
                torch.tensor([*class_index, len(vocabulary)], device=device),
            )
            self._remembered[vocabulary.classes] = remembered
        return remembered

    def _encode(self, names: tuple[str, ...]) -> Tensor:
        """Encode one block of names after the other: the memory for prompts does not grow with the vocabulary."""
        blocks = [names[start : start + BLOCK] for start in range(0, len(names), BLOCK)]
        quiet = len(blocks) < LONG_WORK
        if not quiet:
            logger.info("Encoding %d names in %d templates with CLIP's text tower.", len(names), len(TEMPLATES))
        return torch.cat([self._encode_block(block) for block in progress(blocks, "encoding names", quiet=quiet)])

    def _encode_block(self, names: tuple[str, ...]) -> Tensor:
        """Encode every prompt, short ones together: a chunk costs as many tokens as its longest prompt has."""
        device = self._clip.logit_scale.device
        tokens = self._clip.tokenizer([template.format(name) for name in names for template in TEMPLATES])
        order = tokens.argmax(dim=-1).argsort(stable=True)
        features = torch.empty(len(tokens), self._clip.embed_dim, device=device)
        with torch.autocast(device.type, enabled=False):
            for chunk in order.split(CHUNK):
                features[chunk.to(device)] = self._clip.encode_text(tokens[chunk].to(device)).float()
        features = F.normalize(features, dim=-1).view(len(names), len(TEMPLATES), -1)  # (N, templates, E)
        return F.normalize(features.mean(dim=1), dim=-1)
