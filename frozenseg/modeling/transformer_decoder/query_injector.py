"""The query injector: what SAM sees under a query's mask is added to the query (paper, query injector).

Letters: B images, Q queries, d width.
"""

from torch import Tensor, nn

from frozenseg.modeling.layers.mask_pooling import mask_pooling


def inject_into_queries(queries: Tensor, masks: Tensor, sam_embedding: Tensor, project: nn.Module) -> Tensor:
    """Add SAM's embedding, pooled under each mask, to the queries.

    Args:
        queries: (B, Q, d).
        masks: (B, Q, H/4, W/4) logits just predicted from these queries.
        sam_embedding: (B, d, h, w) SAM's embedding, 64×64 for the released SAMs.
        project: d → d, shared with the classification head.

    Returns:
        (B, Q, d).
    """
    return queries + project(mask_pooling(sam_embedding, masks))
