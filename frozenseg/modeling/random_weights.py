"""``random`` and ``random:SEED``: frozen encoders without training, the same ones every time."""

from frozenseg.errors import ConfigError

RANDOM = "random"


def random_seed(weights: str) -> int | None:
    """Return the seed that a weights string asks for, or None where it names real weights.

    Args:
        weights: ``random`` (seed 0), ``random:SEED``, or anything else.

    Raises:
        ConfigError: SEED is no whole number.
    """
    kind, _, seed = weights.partition(":")
    if kind != RANDOM:
        return None
    if seed and not seed.isdigit():
        raise ConfigError(f"Weights {weights!r}: the part after 'random:' must be a whole number.")
    return int(seed or 0)
