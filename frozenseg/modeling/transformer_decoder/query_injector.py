"""Query injector: SAM's embedding, pooled under the mask of each query, is added to the query (FrozenSeg).

It runs after the prediction of a decoder layer and changes the queries of the next one::

    sam_embedding (B, d, h, w)      masks (B, Q, H/4, W/4) logits
                │                              │
                │                              │  resize to h×w, > 0
                └────────► mask pooling ◄──────┘
                                │
                                ▼
                  (B, Q, d) mean under each mask
                                │
                                ▼
               project, shared with the class head
                                │
                                ▼
    queries (B, Q, d) ────────► + ────────► queries (B, Q, d)

Letters: B images, Q queries, d width, H×W the padded input, h×w SAM's embedding.
"""

from torch import Tensor, nn

from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.structures.shapes import check_shape


def inject_into_queries(queries: Tensor, masks: Tensor, sam_embedding: Tensor, project: nn.Module) -> Tensor:
    """Add SAM's embedding, pooled under each mask, to the queries.

    Args:
        queries: (B, Q, d).
        masks: (B, Q, H/4, W/4) logits predicted from these queries.
        sam_embedding: (B, d, h, w), 64×64 for the released SAMs.
        project: d → d, shared with the class head.

    Returns:
        (B, Q, d).

    Raises:
        ShapeError: a tensor of another shape.
    """
    check_shape("queries", queries, "B Q d")
    batch, count, width = queries.shape
    check_shape("masks", masks, "B Q H W", B=batch, Q=count)
    check_shape("sam_embedding", sam_embedding, "B d h w", B=batch, d=width)
    return queries + project(mask_pooling(sam_embedding, masks))
