"""SAM proposals: automatic masks at a grid of points, filtered, limited to the largest ones.

The masks are those of ``SamAutomaticMaskGenerator`` of the segment-anything package without crops. The order of the
steps is the package's, as it changes the result:

1. three masks are decoded for each point; those with a predicted IoU above the threshold and, at image size, a high
   enough stability are kept;
2. of masks with overlapping boxes, the one with the highest predicted IoU is kept;
3. holes and islands smaller than the minimum are removed, and boxes are compared a second time: masks without small
   regions take precedence over changed ones, in the order of step 2 otherwise;
4. the largest masks by their area after step 3 are kept, the largest first; the package returns all, in the order of
   step 3.

Step 3 changes masks and areas only. The logits remain those of the decoder, negative in a filled hole and positive on a
removed island; the ensemble of the released model uses them in this form, too.

Letters: M masks, h×w low resolution (256×256), H×W the image, S side of SAM's input, c channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor

from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.layers.row_strips import row_strips
from frozenseg.modeling.sam.automatic_masks.candidates import (
    find_candidates,
    suppress_duplicates,
    without_small_regions,
)
from frozenseg.modeling.sam.automatic_masks.mask_filters import remove_small_regions
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.structures.shapes import check_shape


@dataclass(frozen=True, eq=False)
class Proposals:
    """SAM proposals of one image, the largest first.

    Args:
        logits: (M, h, w) float32, of the padded input; a pixel is inside if its logit is above 0.
        predicted_ious: (M,) IoU with the ground truth, predicted by SAM.
        stability: (M,) 0-1.
        areas: (M,) int64 pixels at image size, small regions removed.
        placement: position of the image in the logits.
        min_region_area: of the settings that the proposals were made with.
    """

    logits: Tensor
    predicted_ious: Tensor
    stability: Tensor
    areas: Tensor
    placement: Placement
    min_region_area: int

    def __len__(self) -> int:
        """Return M."""
        return len(self.logits)

    def to(self, device: torch.device) -> "Proposals":
        """Return the proposals on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("logits", "predicted_ious", "stability", "areas")}
        return replace(self, **moved)

    def strips(self, values: int | None = None) -> Iterator[tuple[slice, Tensor]]:
        """Yield the logits at image size, some rows of all masks at a time, so that memory stays bounded.

        Args:
            values: maximum number of logits at once, but at least one row; see :func:`row_strips`.

        Yields:
            The rows, and their logits (M, rows, W) float32.
        """
        height, width = self.placement.size
        for rows in row_strips(height, len(self) * width, values):
            yield rows, self.placement.at_image_size(self.logits, rows)

    def masks(self) -> np.ndarray:
        """Return the masks at image size, small regions removed, (M, H, W) bool."""
        masks = np.zeros((len(self), *self.placement.size), dtype=bool)
        for rows, logits in self.strips():
            masks[:, rows] = (logits > 0).cpu().numpy()
        if self.min_region_area == 0:
            return masks
        for index, mask in enumerate(masks):
            masks[index], _ = remove_small_regions(mask, self.min_region_area)
        return masks


@torch.no_grad()
def propose_masks(
    sam: FrozenSAM, image: Tensor, settings: ProposalSettings | None = None, embedding: Tensor | None = None
) -> Proposals:
    """Propose masks everywhere in an image.

    The low-resolution logits of all candidates are in memory until duplicates are dropped, 256 KiB each: at most 0.8 GB
    for 32×32 points, less than the package needs for a single batch of points.

    Args:
        sam: any SAM.
        image: (3, H, W) uint8 RGB.
        settings: None for those of the paper.
        embedding: (1, c, S/16, S/16) of this image from :func:`embed_image`, to save its computation; the embedding of
            the segmentation model is the same only if :func:`shares_embedding` returns True.

    Raises:
        ShapeError: the image is not (3, H, W) uint8, or the embedding not (1, c, h, w).
        ConfigError: both an embedding and ``swap_red_and_blue``, which needs an embedding of the swapped image.
    """
    settings = settings or ProposalSettings()
    check_image(image)
    if embedding is not None and settings.swap_red_and_blue:
        raise ConfigError(
            "swap_red_and_blue needs the embedding of the swapped image: pass no embedding, or switch the swap off."
        )
    if embedding is None:
        embedding = embed_image(sam, image, settings)
    check_shape("embedding", embedding, "1 c h w", c=sam.channels)
    placement = Placement.of(image.shape[1], image.shape[2], sam.image_size)
    batches = list(find_candidates(sam, embedding, placement, settings))
    kept = suppress_duplicates(batches, settings.nms_threshold)
    kept, areas = without_small_regions(kept, placement, settings)
    largest = areas.argsort(descending=True, stable=True)[: settings.max_masks]
    return Proposals(
        logits=kept.logits[largest],
        predicted_ious=kept.predicted_ious[largest],
        stability=kept.stability[largest],
        areas=areas[largest],
        placement=placement,
        min_region_area=settings.min_region_area,
    )


def check_image(image: Tensor) -> None:
    """Raise ShapeError unless the image is (3, H, W) uint8."""
    check_shape("image", image, "3 H W")
    if image.dtype != torch.uint8:
        raise ShapeError(f"image is {image.dtype}, expected torch.uint8 RGB: pass the image before normalisation.")


@torch.no_grad()
def embed_image(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> Tensor:
    """Embed an image as the package does: longest side S, aspect kept, zeros right and below after normalisation.

    Args:
        sam: any SAM.
        image: (3, H, W) uint8 RGB.
        settings: order of the colour channels, and precision.

    Returns:
        (1, c, S/16, S/16) float32.
    """
    device = sam.prompt_encoder.no_mask_embed.weight.device
    ordered = image.flip(0) if settings.swap_red_and_blue else image
    resized = ResizeLongestSide(sam.image_size).apply_image(ordered.permute(1, 2, 0).cpu().numpy())
    pixels = torch.from_numpy(resized).to(device).permute(2, 0, 1).float()
    mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in (sam.PIXEL_MEAN, sam.PIXEL_STD))
    height, width = pixels.shape[1:]
    padded = F.pad((pixels - mean) / deviation, (0, sam.image_size - width, 0, sam.image_size - height))
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
        embedding: Tensor = sam(padded[None])
    return embedding.float()


def shares_embedding(image: tuple[int, int], padded: tuple[int, int], side: int) -> bool:
    """Return True if the segmentation model and the proposals have the same embedding of an image.

    The model pads first and then resizes without keeping the aspect ratio; the package resizes, keeping it, and then
    pads. Both embed the same pixels only if neither resizes: the longest side is S, and the padded batch is S×S.

    Args:
        image: H and W.
        padded: H and W of the batch.
        side: S.
    """
    return max(image) == side and tuple(padded) == (side, side)
