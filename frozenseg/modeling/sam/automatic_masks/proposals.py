"""The frozen SAM's automatic masks: what it finds at a grid of points, filtered, the largest ones.

The same masks as ``SamAutomaticMaskGenerator`` of the segment-anything package without crops, in the same order of
operations, which matters:

1. per point, three masks; those with a predicted IoU above its threshold stay, then those stable enough, both judged
   at image size;
2. of boxes that overlap, the one with the highest predicted IoU stays;
3. holes and islands smaller than the least region go, and boxes are compared once more: masks that this left alone go
   before those that it changed, in the order of step 2 otherwise;
4. the largest masks by their area after step 3 stay, the largest first; the package gives all, in the order of step 3.

Step 3 acts on masks and areas alone. Logits stay as the decoder gave them, negative in a filled hole and positive on a
removed island, and so they vote in the released model's ensemble, too.

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
from frozenseg.modeling.sam.automatic_masks.candidates import (
    find_candidates,
    suppress_duplicates,
    without_small_regions,
)
from frozenseg.modeling.sam.automatic_masks.mask_filters import remove_small_regions
from frozenseg.modeling.sam.automatic_masks.placement import Placement, rows_at_a_time
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.base import FrozenSAM
from frozenseg.structures.shapes import check_shape


@dataclass(frozen=True, eq=False)
class Proposals:
    """SAM's masks of one image, the largest first.

    Args:
        logits: (M, h, w) float32, of the padded input; above 0 is inside. What is at image size follows from them.
        predicted_ious: (M,) what SAM believes of each.
        stability: (M,) 0-1.
        areas: (M,) int64 pixels at image size, small regions removed.
        placement: where the image lies in the logits.
        min_region_area: of the settings.
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
        """Return the same on a device."""
        moved = {name: getattr(self, name).to(device) for name in ("logits", "predicted_ious", "stability", "areas")}
        return replace(self, **moved)

    def strips(self, values: int = 2**24) -> Iterator[tuple[slice, Tensor]]:
        """Give the logits at image size, some rows of all masks at a time, so that they never exist all at once.

        Args:
            values: the most at once, unless a single row has more; 16 Mi are 64 MiB.

        Yields:
            The rows, and their logits (M, rows, W) float32.
        """
        height, width = self.placement.size
        step = rows_at_a_time(values, len(self) * width)
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
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
    """Find masks everywhere in an image.

    The low-resolution logits of all candidates are kept until duplicates go, 256 KiB each: 0.8 GB at the very most for
    32×32 points, less than the package holds for a single batch of its points.

    Args:
        sam: any.
        image: (3, H, W) uint8 RGB.
        settings: None for those of the paper.
        embedding: (1, c, S/16, S/16) of this image as :func:`embed_image` gives it, where there is one already; the
            model's own embedding is that only where :func:`shares_embedding` says so.

    Raises:
        ShapeError: the image is something else.
        ConfigError: an embedding is given, and red and blue should be swapped, which it cannot show.
    """
    settings = settings or ProposalSettings()
    check_image(image)
    if embedding is not None and settings.swap_red_and_blue:
        raise ConfigError("swap_red_and_blue needs an embedding of its own: leave out the embedding, or the swap.")
    if embedding is None:
        embedding = embed_image(sam, image, settings)
    placement = Placement.of(image.shape[1], image.shape[2], sam.image_size)
    found = list(find_candidates(sam, embedding, placement, settings))
    kept = suppress_duplicates(found, settings.nms_threshold)
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
    """Refuse what is no (3, H, W) uint8 image, with a ShapeError."""
    check_shape("image", image, "3 H W")
    if image.dtype != torch.uint8:
        raise ShapeError(f"image is {image.dtype}, expected torch.uint8 RGB: give the picture before normalisation.")


@torch.no_grad()
def embed_image(sam: FrozenSAM, image: Tensor, settings: ProposalSettings) -> Tensor:
    """Embed an image as the package does: longest side S, aspect kept, zeros right and below after normalisation.

    Args:
        sam: any.
        image: (3, H, W) uint8 RGB.
        settings: whether red and blue are swapped, and the precision.

    Returns:
        (1, c, S/16, S/16) float32.
    """
    device = sam.prompt_encoder.no_mask_embed.weight.device
    shown = image.flip(0) if settings.swap_red_and_blue else image
    resized = ResizeLongestSide(sam.image_size).apply_image(shown.permute(1, 2, 0).cpu().numpy())
    pixels = torch.from_numpy(resized).to(device).permute(2, 0, 1).float()
    mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in (sam.PIXEL_MEAN, sam.PIXEL_STD))
    height, width = pixels.shape[1:]
    padded = F.pad((pixels - mean) / deviation, (0, sam.image_size - width, 0, sam.image_size - height))
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.bf16):
        return sam(padded[None]).float()


def shares_embedding(image: tuple[int, int], padded: tuple[int, int], side: int) -> bool:
    """Say whether the model's own embedding of an image is the one that masks are proposed from.

    The model pads first and then resizes without regard to the aspect; the package resizes, aspect kept, and then pads.
    Both see the same pixels only where neither resizes: the longest side is S, and the padded batch is S×S.

    Args:
        image: H and W.
        padded: H and W of the batch.
        side: S.
    """
    return max(image) == side and tuple(padded) == (side, side)
