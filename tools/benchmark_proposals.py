"""Time SAM's automatic masks beside the segment_anything package's, in one run; ``--help`` has examples."""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam
from segment_anything.utils.amg import build_point_grid
from tabulate import tabulate
from torch import Tensor

from frozenseg.atomic import write_json
from frozenseg.device import pick_device
from frozenseg.errors import FrozenSegError
from frozenseg.modeling.random_weights import RANDOM, random_seed
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.point_decoder import PointDecoder
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.automatic_masks.proposals import embed_image, propose_masks
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.registry import SAM

DESCRIPTION = """\
Find the masks of one made-up picture with the package's SamAutomaticMaskGenerator and with this project's
propose_masks, one after the other in one process, and compare masks and seconds. The image encoder is the same network
in both and is counted apart. Random weights are arranged so that a mask lies around its point and half of the masks
pass the threshold of the predicted IoU: what is still to be done after the thresholds takes time, too. Without OpenCV,
which the package needs for it, neither removes small regions.
"""
EXAMPLES = """\
examples:
  32×32 points, ViT-B, 480×640, both precisions; minutes on a CPU:
    python tools/benchmark_proposals.py --bf16

  seconds:
    python tools/benchmark_proposals.py --model vit_toy --size 96 128 --points 8

  released weights, the numbers in a file:
    python tools/benchmark_proposals.py --model vit_l --weights sam_vit_l_0b3195.pth --output speed.json
"""
ALL = 1_000_000
EQUAL = 0.999


class Run(NamedTuple):
    """What one way took, seconds, and what it found, (M, H, W) bool."""

    encoder: float
    masks: float
    found: np.ndarray


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    try:
        device = pick_device("auto")
        sam = build_sam(arguments.model, arguments.weights).to(device)
        image = picture(*arguments.size)
        if random_seed(arguments.weights) is not None:
            draw_around_points(sam, image, arguments.passing)
        rows = compare(sam, image, settings_of(arguments), arguments.bf16)
        if arguments.output:
            write_json(arguments.output, {"arguments": vars(arguments), "device": str(device), "rows": rows}, indent=2)
    except FrozenSegError as error:
        print(error, file=sys.stderr)
        return 2
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    size = "×".join(map(str, arguments.size))
    print(f"\n{arguments.model}, {arguments.points}×{arguments.points} points, {size}, {where}; seconds\n")
    print(tabulate([{name.replace("_", " "): shown(value) for name, value in row.items()} for row in rows], "keys"))
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="vit_b", choices=SAM.names(), help="which SAM (default: %(default)s)")
    parser.add_argument("--weights", default=RANDOM, help="a file, or random[:SEED] (default: %(default)s)")
    parser.add_argument("--points", type=int, default=32, help="points a side of the grid (default: %(default)s)")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"),
                        help="of the picture, pixels (default: 480 640)")  # fmt: skip
    parser.add_argument("--passing", type=float, default=0.5,
                        help="share of masks of random weights that pass their threshold (default: 0.5)")  # fmt: skip
    parser.add_argument("--bf16", action="store_true", help="time bfloat16, too, beside the package's float32")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--output", help="write the numbers as JSON, too")
    arguments = parser.parse_args(argv)
    if arguments.points < 1 or min(arguments.size) < 32 or not 0 < arguments.passing <= 1:
        parser.error("--points must be 1 at least, --size 32 × 32, --passing above 0 and at most 1")
    return arguments


def settings_of(arguments: argparse.Namespace) -> ProposalSettings:
    """Return the paper's settings with all masks kept; small regions stay where the package cannot remove them."""
    with_opencv = importlib.util.find_spec("cv2") is not None
    return ProposalSettings(points_per_side=arguments.points, max_masks=ALL, min_region_area=100 if with_opencv else 0)


def picture(height: int, width: int) -> Tensor:
    """Return soft blobs of colour, (3, H, W) uint8, the same ones every time."""
    noise = np.random.default_rng(0).standard_normal((3, height, width))
    soft = ndimage.gaussian_filter(noise, (0, height / 16, width / 16))
    scaled = (soft - soft.min()) / (soft.max() - soft.min())
    return torch.from_numpy((255 * scaled).astype(np.uint8))


def compare(sam: FrozenSAM, image: Tensor, settings: ProposalSettings, bf16: bool) -> list[dict[str, Any]]:
    """Run the package once and this project once a precision; returns a row a precision."""
    usual = run_package(sam, image, settings)
    rows = []
    for precision in (False, True)[: 1 + bf16]:
        ours = run_ours(sam, image, replace(settings, bf16=precision))
        ious = matched_ious(usual.found, ours.found)
        rows.append(
            {
                "precision": "bfloat16" if precision else "float32",
                "encoder_package": usual.encoder,
                "encoder_ours": ours.encoder,
                "package": usual.masks,
                "ours": ours.masks,
                "ratio": usual.masks / ours.masks,
                "ratio_with_encoder": (usual.encoder + usual.masks) / (ours.encoder + ours.masks),
                "masks_package": len(usual.found),
                "masks_ours": len(ours.found),
                "equal": float((ious >= EQUAL).mean()) if len(ious) else 1.0,
                "mean_iou": float(ious.mean()) if len(ious) else 1.0,
                "least_iou": float(ious.min()) if len(ious) else 1.0,
            }
        )
    return rows


def package_generator(sam: FrozenSAM, settings: ProposalSettings) -> SamAutomaticMaskGenerator:
    """Return the package's generator around the very same weights."""
    device = sam.prompt_encoder.no_mask_embed.weight.device
    sam.image_encoder.img_size = sam.image_size  # TinyViT does not say it
    return SamAutomaticMaskGenerator(
        Sam(sam.image_encoder, sam.prompt_encoder, sam.mask_decoder).to(device).eval(),
        points_per_side=settings.points_per_side,
        pred_iou_thresh=settings.pred_iou_threshold,
        stability_score_thresh=settings.stability_threshold,
        stability_score_offset=settings.stability_offset,
        box_nms_thresh=settings.nms_threshold,
        min_mask_region_area=settings.min_region_area,
    )


def run_package(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> Run:
    """Time the package; the encoder by the clock around its call."""
    generator = package_generator(sam, settings)
    pixels = image.permute(1, 2, 0).numpy()
    embed, encoder = generator.predictor.set_image, []

    def set_image(*given: Any) -> None:
        encoder.append(seconds(lambda: embed(*given))[0])

    generator.predictor.set_image = set_image
    total, records = seconds(lambda: generator.generate(pixels))
    found = np.array([record["segmentation"] for record in records]).reshape(-1, *image.shape[1:])
    return Run(encoder[0], total - encoder[0], found)


def run_ours(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> Run:
    """Time this project's way."""
    encoder, embedding = seconds(lambda: embed_image(sam, image, settings))
    masks, proposals = seconds(lambda: propose_masks(sam, image, settings, embedding))
    return Run(encoder, masks, proposals.masks())


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long it took until the device was done, and the result."""
    before = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - before, result


def matched_ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pair masks for the largest sum of IoUs; zeros for those without a partner.

    Args:
        one: (M, H, W) bool.
        other: (N, H, W) bool.

    Returns:
        (max(M, N),).
    """
    ious = np.zeros(max(len(one), len(other)))
    if len(one) == 0 or len(other) == 0:
        return ious
    flat, wanted = (masks.reshape(len(masks), -1).astype(np.float32) for masks in (one, other))
    common = flat @ wanted.T
    union = flat.sum(1)[:, None] + wanted.sum(1)[None] - common
    overlap = np.where(union == 0, 1.0, common / np.maximum(1, union))  # two empty masks are the same
    pairs = linear_sum_assignment(overlap, maximize=True)
    ious[: len(pairs[0])] = overlap[pairs]
    return ious


@torch.no_grad()
def draw_around_points(sam: FrozenSAM, image: Tensor, passing: float) -> None:
    """Arrange random weights so that masks lie around their points and a share of them passes the predicted IoU.

    Image tokens attend to a point by nearness, for both sides of that attention get the same projection; the masks'
    kernels become the direction that best tells near features from far ones, with a little of the random ones left.

    Args:
        sam: random; changed.
        image: (3, H, W) uint8, for which this is done.
        passing: share of the masks whose predicted IoU shall be above 0.8.
    """
    decoder = sam.mask_decoder
    prefer_near_points(sam)
    placement = Placement.of(*image.shape[1:], sam.image_size)
    embedding = embed_image(sam, image, ProposalSettings())
    points = torch.as_tensor(placement.to_input(build_point_grid(4)), device=embedding.device)[:, None]
    labels = torch.ones(len(points), 1, device=embedding.device)
    prompts, no_mask = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)
    position = sam.prompt_encoder.get_dense_pe()
    points_decoder = PointDecoder(decoder, embedding + no_mask[:1], position, torch.float32)
    tokens, seen = points_decoder.attend(prompts)
    for index, head in enumerate([decoder.iou_prediction_head, *decoder.output_hypernetworks_mlps]):
        centre(head.layers, tokens[:, index].mean(0))
    channels = decoder.output_hypernetworks_mlps[0].layers[-1].out_features
    every = torch.eye(channels, device=embedding.device).expand(len(points), -1, -1)
    features = points_decoder.upscaling(seen, every, points_decoder.grid)  # (P, c/8, 4h, 4w)
    direction, near, far = tell_apart(features, points[:, 0].float() / sam.image_size)
    for index, head in enumerate(decoder.output_hypernetworks_mlps):
        last, drawn = head.layers[-1], head(tokens[:, 1 + index])
        last.weight.mul_(0.3 * direction.norm() / drawn.norm(dim=1).mean())
        last.bias.copy_(direction)
        last.bias[0] = -(far + (near - far) * (1.1 - 0.2 * index)) / features[0, 0, 0, 0]  # the constant feature
    last = decoder.iou_prediction_head.layers[-1]
    last.weight.mul_(0.1 / points_decoder.quality(tokens).std())
    last.bias.add_(0.8 - points_decoder.quality(tokens).quantile(1 - passing))


def prefer_near_points(sam: FrozenSAM) -> None:
    """Let image tokens attend to points by nearness; upscale without a grid, and keep one feature constant."""
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
    """Let a head answer to what distinguishes tokens (c,) from their mean."""
    layers[0].bias.copy_(-layers[0].weight @ tokens)
    for layer in layers[1:]:
        layer.bias.zero_()


def tell_apart(features: Tensor, points: Tensor) -> tuple[Tensor, float, float]:
    """Find the direction of features that tells what is near a point from what is far.

    Args:
        features: (P, c, s, s), the first one constant.
        points: (P, 2) x, y as shares of the input.

    Returns:
        The direction (c,), in which near and far lie 20 apart, and the mean of both along it.
    """
    side = features.shape[-1]
    centres = (torch.arange(side, device=points.device) + 0.5) / side
    distance = torch.hypot(centres[None, None, :] - points[:, 0, None, None],
                           centres[None, :, None] - points[:, 1, None, None])  # (P, s, s)  # fmt: skip
    flat = features.transpose(0, 1)[1:].flatten(1)  # (c - 1, P·s·s)
    near, far = (flat[:, chosen.flatten()].mean(1) for chosen in (distance < 0.1, distance > 0.3))
    covariance = torch.cov(flat)
    covariance += 1e-2 * covariance.diagonal().mean() * torch.eye(len(covariance), device=points.device)
    direction = torch.linalg.solve(covariance, near - far)
    direction *= 20 / (direction @ (near - far))
    return torch.cat([direction.new_zeros(1), direction]), float(direction @ near), float(direction @ far)


def shown(value: Any) -> Any:
    """Return a number with four figures."""
    return f"{value:.4g}" if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
