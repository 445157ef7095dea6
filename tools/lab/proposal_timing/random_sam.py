"""Random SAM weights with realistic masks, so that the steps after the thresholds take realistic time."""

from collections.abc import Sequence

import torch
from segment_anything.utils.amg import build_point_grid
from torch import Tensor

from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.point_decoder import PointDecoder
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import embed_image
from frozenseg.modeling.sam.base import FrozenSAM


@torch.no_grad()
def draw_around_points(sam: FrozenSAM, image: Tensor, passing: float) -> None:
    """Change random weights so that masks surround their points and a share of them passes the predicted IoU threshold.

    Image tokens attend to points by distance, because queries and keys of that attention get the same projection. The
    mask kernels become the direction that best separates features near the point from far ones, plus a part of the
    random kernels.

    Args:
        sam: model with random weights, changed in place.
        image: (3, H, W) uint8 image to fit the weights to.
        passing: share of the masks with a predicted IoU above 0.8.
    """
    decoder = sam.mask_decoder
    prefer_near_points(sam)
    height, width = image.shape[1:]
    placement = Placement.of(height, width, sam.image_size)
    embedding = embed_image(sam, image, ProposalSettings())
    points = torch.as_tensor(placement.to_input(build_point_grid(4)), device=embedding.device)[:, None]
    labels = torch.ones(len(points), 1, device=embedding.device)
    prompts, no_mask = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    position = sam.prompt_encoder.get_dense_pe()
    points_decoder = PointDecoder(decoder, embedding + no_mask[:1], position, torch.float32)
    tokens, image_features = points_decoder.attend(prompts)
    for index, head in enumerate([decoder.iou_prediction_head, *decoder.output_hypernetworks_mlps]):
        centre(head.layers, tokens[:, index].mean(0))
    channels = decoder.output_hypernetworks_mlps[0].layers[-1].out_features
    identity = torch.eye(channels, device=embedding.device).expand(len(points), -1, -1)
    features = points_decoder.upscaling(image_features, identity, points_decoder.grid)  # (P, c/8, 4h, 4w)
    direction, near, far = separating_direction(features, points[:, 0].float() / sam.image_size)
    for index, head in enumerate(decoder.output_hypernetworks_mlps):
        last, kernels = head.layers[-1], head(tokens[:, 1 + index])
        last.weight.mul_(0.3 * direction.norm() / kernels.norm(dim=1).mean())
        last.bias.copy_(direction)
        last.bias[0] = -(far + (near - far) * (1.1 - 0.2 * index)) / features[0, 0, 0, 0]  # feature 0 is constant
    last = decoder.iou_prediction_head.layers[-1]
    last.weight.mul_(0.1 / points_decoder.quality(tokens).std())
    last.bias.add_(0.8 - points_decoder.quality(tokens).quantile(1 - passing))


def prefer_near_points(sam: FrozenSAM) -> None:
    """Make image tokens attend to points by distance, upscale without a checkerboard, and keep one feature constant."""
    decoder = sam.mask_decoder
    sam.prompt_encoder.point_embeddings[1].weight.zero_()
    for layer in decoder.transformer.layers:
        attention = layer.cross_attn_image_to_token
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight.mul_(4)
            projection.bias.zero_()
        for projection in (attention.v_proj, attention.out_proj):
            projection.weight.mul_(2)
    decoder.transformer.layers[0].norm4.weight.mul_(0.3)
    decoder.transformer.layers[-1].norm3.weight.mul_(0.3)
    for convolution in (decoder.output_upscaling[0], decoder.output_upscaling[3]):
        convolution.weight.copy_(convolution.weight[:, :, :1, :1].clone().expand_as(convolution.weight))
    decoder.output_upscaling[3].weight[:, 0].zero_()
    decoder.output_upscaling[3].bias[0] = 1.0


def centre(layers: Sequence[torch.nn.Linear], tokens: Tensor) -> None:
    """Set the biases of a head so that its output depends on the difference of tokens to their mean (c,) only."""
    layers[0].bias.copy_(-layers[0].weight @ tokens)
    for layer in layers[1:]:
        layer.bias.zero_()


def separating_direction(features: Tensor, points: Tensor) -> tuple[Tensor, float, float]:
    """Return the direction that best separates features near a point from far ones (Fisher's linear discriminant).

    Args:
        features: (P, c, s, s), feature 0 constant.
        points: (P, 2) x, y as shares of the input size.

    Returns:
        The direction (c,), scaled to a distance of 20 between near and far, and the means of both along it.
    """
    side = features.shape[-1]
    centres = (torch.arange(side, device=points.device) + 0.5) / side
    distance = torch.hypot(centres[None, None, :] - points[:, 0, None, None],
                           centres[None, :, None] - points[:, 1, None, None])  # (P, s, s)  # fmt: skip
    flat = features.transpose(0, 1)[1:].flatten(1)  # (c - 1, P·s·s)
    near, far = (flat[:, region.flatten()].mean(1) for region in (distance < 0.1, distance > 0.3))
    covariance = torch.cov(flat)
    covariance += 1e-2 * covariance.diagonal().mean() * torch.eye(len(covariance), device=points.device)
    direction = torch.linalg.solve(covariance, near - far)
    direction *= 20 / (direction @ (near - far))
    return torch.cat([direction.new_zeros(1), direction]), float(direction @ near), float(direction @ far)
