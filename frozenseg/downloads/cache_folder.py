"""Cache folder of downloaded files: ``$FROZENSEG_CACHE``, or the platform's folder of caches."""

import os
import sys
from pathlib import Path

from frozenseg.errors import ConfigError
from frozenseg.output_paths import file_in_the_way

CACHE_VARIABLE = "FROZENSEG_CACHE"


def cache_folder() -> Path:
    """Return the folder of all files that this library downloads; it is created by the first download.

    ``$FROZENSEG_CACHE`` if it is set; else ``frozenseg`` in ``$XDG_CACHE_HOME`` or ``~/.cache`` (Linux),
    ``~/Library/Caches`` (macOS) or ``%LOCALAPPDATA%`` (Windows).

    Raises:
        ConfigError: the folder is a file.
    """
    if chosen := os.environ.get(CACHE_VARIABLE):
        folder = Path(os.path.expanduser(chosen)).absolute()
        if obstacle := file_in_the_way(folder):
            raise ConfigError(
                f"{CACHE_VARIABLE} is {chosen!r}, which cannot be a folder ({obstacle}): set it to another one."
            )
        return folder
    return _caches_of_platform(sys.platform) / "frozenseg"


def torch_hub_folder() -> Path:
    """Return torch hub's folder of checkpoints, in which files of other programs may be; torch is not imported."""
    home = os.environ.get("TORCH_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch")
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"


def _caches_of_platform(platform: str) -> Path:
    if platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif platform == "darwin":
        folder = "~/Library/Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(folder))
