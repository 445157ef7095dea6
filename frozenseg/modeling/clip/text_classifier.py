"""Text classifier: class names in prompt templates → one normalised text embedding for each synonym.

Letters: C classes, N synonyms of all classes, E the width of CLIP's joint space.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.cache import TensorCache
from frozenseg.log import get_logger, progress
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.cut_names import warn_of_cut_names
from frozenseg.modeling.clip.token_rows import warn_of_unknown_names
from frozenseg.modeling.types import TextEmbeddings
from frozenseg.structures.shapes import check_shape
from frozenseg.vocabulary import TEMPLATES, Vocabulary

logger = get_logger(__name__)
BLOCK = 64  # names encoded together
_CHUNK = 128  # prompts that pass the text tower at once
LONG_WORK = 3  # minimum number of blocks for a progress bar
REMEMBERED = 8  # vocabularies kept on the device
_remembering = threading.Lock()  # one for all classifiers, as a lock in each would make models uncopyable


class _Encoded(NamedTuple):
    """Embeddings of a vocabulary without void."""

    embeddings: Tensor  # (N, E)
    class_index: Tensor  # (N + 1,) int64, void's last


class TextClassifier:
    """Encodes vocabularies, and keeps the ``REMEMBERED`` most recently used ones in memory.

    Calls from several threads are safe. Two threads that need the same new vocabulary may both encode it.

    Args:
        clip: the frozen CLIP.
        cache: keeps embeddings on disk between runs; None without a cache.
    """

    def __init__(self, clip: FrozenCLIP, cache: TensorCache | None = None) -> None:
        self._clip = clip
        self._cache = cache
        self._remembered: OrderedDict[tuple[tuple[str, ...], ...], _Encoded] = OrderedDict()
        self._weights_hash: str | None = None

    def __call__(self, vocabulary: Vocabulary, void: Tensor) -> TextEmbeddings:
        """Return the text embeddings of a vocabulary, void last.

        Args:
            vocabulary: C classes with N synonyms.
            void: (1, E) the learned void embedding, not normalised.

        Raises:
            ShapeError: ``void`` is not (1, E).
        """
        check_shape("void", void, "1 E", E=self._clip.embed_dim)
        encoded = self._encoded(vocabulary, void.device)
        embeddings = torch.cat([encoded.embeddings, F.normalize(void, dim=-1)])
        return TextEmbeddings(embeddings, encoded.class_index, len(vocabulary) + 1)

    def forget(self) -> None:
        """Forget all embeddings and the hash of CLIP's weights, after these have been replaced."""
        with _remembering:
            self._remembered.clear()
            self._weights_hash = None

    def embed(self, names: tuple[str, ...]) -> Tensor:
        """Return (N, E) float32: each name is encoded in every template, normalised, averaged and normalised again."""
        if self._cache is None:
            return self._encode(names)
        if self._weights_hash is None:
            self._weights_hash = self._clip.weights_hash()
        # the activation is not in the weights' hash, but in the repr of the modules
        content = {"weights": self._weights_hash, "modules": repr(self._clip), "names": names, "templates": TEMPLATES}
        embeddings = self._cache.load(**content)
        if embeddings is None:
            embeddings = self._encode(names)
            self._cache.save(embeddings, **content)
        return embeddings

    def rows(self, names: tuple[str, ...]) -> Tensor:
        """Return the text embeddings of names, a row for each; the name of :meth:`embed` in version 0.1."""
        return self.embed(names)

    def _encoded(self, vocabulary: Vocabulary, device: torch.device) -> _Encoded:
        """Return a vocabulary's embeddings on a device, from memory if they are there."""
        with _remembering:
            encoded = self._remembered.get(vocabulary.classes)
            if encoded is not None and encoded.embeddings.device == device:
                self._remembered.move_to_end(vocabulary.classes)
                return encoded
        warn_of_cut_names(self._clip.tokenizer, vocabulary)
        if not self._clip.knows_all_tokens:
            warn_of_unknown_names(self._clip.clip_model, self._clip.tokenizer, vocabulary)
        with torch.inference_mode(False):  # tensors of inference mode cannot be used in training later
            return self._remember(vocabulary, self.embed(vocabulary.synonyms).to(device))

    def remembers(self, vocabulary: Vocabulary) -> bool:
        """Return True if a vocabulary is in memory."""
        with _remembering:
            return vocabulary.classes in self._remembered

    def remember(self, vocabulary: Vocabulary, embeddings: Tensor) -> None:
        """Keep the text embeddings of a vocabulary in memory, as if its names had been encoded together.

        Args:
            vocabulary: C classes with N synonyms.
            embeddings: (N, E), from :meth:`embed` of the same names.

        Raises:
            ShapeError: the embeddings are not (N, E).
        """
        check_shape("embeddings", embeddings, "N E", N=len(vocabulary.synonyms), E=self._clip.embed_dim)
        self._remember(vocabulary, embeddings)

    def _remember(self, vocabulary: Vocabulary, embeddings: Tensor) -> _Encoded:
        class_index = [index for index, names in enumerate(vocabulary.classes) for _ in names]
        encoded = _Encoded(embeddings, torch.tensor([*class_index, len(vocabulary)], device=embeddings.device))
        with _remembering:
            self._remembered[vocabulary.classes] = encoded
            self._remembered.move_to_end(vocabulary.classes)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return encoded

    def _encode(self, names: tuple[str, ...]) -> Tensor:
        """Encode block by block, so that the memory for prompts does not grow with the vocabulary."""
        blocks = [names[start : start + BLOCK] for start in range(0, len(names), BLOCK)]
        quiet = len(blocks) < LONG_WORK
        if not quiet:
            logger.info("Encoding %d names in %d templates with CLIP's text tower.", len(names), len(TEMPLATES))
        return torch.cat([self._encode_block(block) for block in progress(blocks, "encoding names", quiet=quiet)])

    def _encode_block(self, names: tuple[str, ...]) -> Tensor:
        """Encode every prompt, sorted by tokens: the prompts of a chunk share their beginnings."""
        device = self._clip.logit_scale.device
        tokens = self._clip.tokenizer([template.format(name) for name in names for template in TEMPLATES])
        rows = tokens.tolist()
        order = torch.tensor(sorted(range(len(rows)), key=rows.__getitem__))
        features = torch.empty(len(tokens), self._clip.embed_dim, device=device)
        with torch.autocast(device.type, enabled=False):
            for chunk in torch.split(order, _CHUNK):
                features[chunk.to(device)] = self._clip.encode_text(tokens[chunk].to(device)).float()
        features = F.normalize(features, dim=-1).view(len(names), len(TEMPLATES), -1)  # (N, templates, E)
        return F.normalize(features.mean(dim=1), dim=-1)
