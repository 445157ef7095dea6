"""Images embedded once for many vocabularies: everything that the model computes before it reads class names.

Letters: B images, Q queries, H×W the padded input, E the width of CLIP's joint space, c and h×w channels
and size of the SAM embedding.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.structures.image_list import ImageList

if TYPE_CHECKING:
    from frozenseg.modeling.sam.automatic_masks.proposals import Proposals  # imports torchvision


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """A batch of images as :meth:`MaskClassifier.classify` reads it; on the device of the model.

    Threads can share it, each with its own vocabulary.

    Attributes:
        batch: an element for each image: ``height`` and ``width`` of the outputs, ``original_image`` for SAM.
        images: the sizes of the images in the padded input; its tensor has no channels.
        masks: (B, Q, H/4, W/4) mask logits.
        query_embeddings: (B, Q, E) of the decoder.
        clip_embeddings: (B, Q, E) CLIP's features, pooled under the masks.
        dense: (B, c5, H/32, W/32) the feature map that CLIP pools.
        sam_embedding: (B, c, h, w) for prompts of the frozen SAM; None without SAM.
    """

    batch: tuple[dict[str, Any], ...]
    images: ImageList
    masks: Tensor
    query_embeddings: Tensor
    clip_embeddings: Tensor
    dense: Tensor
    sam_embedding: Tensor | None = None
    _proposals: "dict[tuple[int, ProposalSettings], Proposals]" = field(default_factory=dict)
    _proposing: Any = field(default_factory=threading.Lock)

    @property
    def nbytes(self) -> int:
        """Memory of the features."""
        tensors = (self.masks, self.query_embeddings, self.clip_embeddings, self.dense, self.sam_embedding)
        originals = (element.get("original_image") for element in self.batch)
        proposed = (proposals.logits for proposals in self._proposals.values())
        return sum(each.nbytes for each in (*tensors, *originals, *proposed) if each is not None)

    def proposals(self, index: int, settings: ProposalSettings, propose: "Callable[[], Proposals]") -> "Proposals":
        """Return the SAM proposals of an image, proposed at the first request."""
        with self._proposing:
            key = (index, settings)
            if key not in self._proposals:
                self._proposals[key] = propose()
            return self._proposals[key]
