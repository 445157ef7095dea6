"""How SAM's automatic masks are proposed."""

from dataclasses import dataclass, field

from frozenseg.errors import ConfigError


@dataclass(frozen=True)
class ProposalSettings:
    """How masks are proposed. Two settings that compare equal propose the same masks.

    Args:
        points_per_side: of the square grid of points.
        pred_iou_threshold: masks have a higher predicted IoU; 0 for all.
        stability_threshold: masks are at least as stable; 0 for all. Stability is the IoU of the mask's thresholds,
            one offset up and down.
        stability_offset: of logits.
        nms_threshold: of boxes that overlap more, one stays; IoU.
        min_region_area: of the smallest holes and islands that stay, pixels; 0 for all.
        max_masks: the largest that are returned.
        swap_red_and_blue: show SAM the image in BGR, as the masks of the released pipeline were made.
        bf16: bfloat16 for the image encoder (autocast) and the decoder's image tokens. Masks then differ: the decoder's
            have a mean IoU of 0.995 with float32's, random weights (the package's under autocast: 0.992), and those at
            the edge of a threshold come and go.
        points_per_batch: points decoded at once; None for what suits the device. Says nothing about the masks.
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
        """Refuse what makes no sense.

        Raises:
            ConfigError: a number out of its range.
        """
        least = {"points_per_side": 1, "stability_offset": 0, "min_region_area": 0, "max_masks": 1}
        for name, smallest in {**least, "points_per_batch": 1}.items():
            value = getattr(self, name)
            if value is not None and value < smallest:
                raise ConfigError(f"{name} of SAM's proposals is {value}; set it to {smallest} or more.")
        for name in ("pred_iou_threshold", "stability_threshold", "nms_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} of SAM's proposals is {value}; set it to a number from 0 to 1.")
