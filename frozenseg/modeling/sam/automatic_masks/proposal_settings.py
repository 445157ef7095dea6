"""Settings of SAM's automatic mask generation."""

from dataclasses import dataclass, field

from frozenseg.errors import ConfigError


@dataclass(frozen=True)
class ProposalSettings:
    """Grid, thresholds and precision of the SAM proposals. Two settings that compare equal give the same masks.

    Args:
        points_per_side: of the square grid of points.
        pred_iou_threshold: masks have a higher predicted IoU; 0 for all.
        stability_threshold: masks are at least as stable; 0 for all. Stability is the IoU of the masks at two
            thresholds, one offset above 0 and one below.
        stability_offset: of logits.
        nms_threshold: IoU of boxes above which the mask with the lower predicted IoU is dropped.
        min_region_area: pixels of the smallest holes and islands that stay; 0 for all.
        max_masks: number of masks returned at most, the largest ones.
        swap_red_and_blue: pass the image to SAM in BGR, as the released pipeline did for its masks.
        bf16: bfloat16 for the image encoder (autocast) and the decoder's image tokens. The masks differ from float32:
            with random weights, the decoder's masks have a mean IoU of 0.995 with the float32 masks (the package under
            autocast: 0.992), and masks close to a threshold may pass or fail.
        points_per_batch: points decoded at once; None for a number that suits the device. No effect on the masks.

    Raises:
        ConfigError: a number is out of its range.
    """

    points_per_side: int = 32
    pred_iou_threshold: float = 0.8
    stability_threshold: float = 0.7
    stability_offset: float = 1.0
    nms_threshold: float = 0.7
    min_region_area: int = 100
    max_masks: int = 50
    swap_red_and_blue: bool = False
    bf16: bool = False
    points_per_batch: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Check the range of every number."""
        minima = {"points_per_side": 1, "stability_offset": 0, "min_region_area": 0, "max_masks": 1}
        for name, minimum in {**minima, "points_per_batch": 1}.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ConfigError(f"{name} of SAM's proposals is {value}; set it to {minimum} or more.")
        for name in ("pred_iou_threshold", "stability_threshold", "nms_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} of SAM's proposals is {value}; set it to a number from 0 to 1.")
