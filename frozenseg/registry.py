"""The six registries: names in a config become classes, and a wrong name is answered with the right ones.

Each registry knows its home package. Its modules are imported when a name is first looked up, so that a new file in
the folder is enough to add an entry and importing ``frozenseg`` registers nothing.
"""

import importlib
import pkgutil
from typing import Any

from fvcore.common.registry import Registry as FvcoreRegistry

from frozenseg.errors import ConfigError, did_you_mean


class Registry(FvcoreRegistry):
    """A fvcore registry of one kind of thing that finds its own entries.

    Args:
        name: what it holds, as it is called in error messages.
        home: dotted name of the package whose modules register the entries.
    """

    def __init__(self, name: str, home: str) -> None:
        super().__init__(name)
        self._home = home
        self._scanned = False

    def look_up(self, name: str) -> Any:
        """Return the entry called ``name``.

        Raises:
            ConfigError: no such entry; names the nearest and all there are.
        """
        if name not in self.names():
            raise ConfigError(
                f"Unknown {self._name} {name!r}.{did_you_mean(name, self.names())} Known: {', '.join(self.names())}."
            )
        return self.get(name)

    def names(self) -> list[str]:
        """Return the names of all entries, sorted."""
        self._scan_home()
        return sorted(name for name, _ in self)

    def _scan_home(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        package = importlib.import_module(self._home)
        for module in pkgutil.iter_modules(package.__path__, prefix=f"{self._home}."):
            importlib.import_module(module.name)


META_ARCH = Registry("meta-architecture", home="frozenseg.modeling.meta_arch")
CLIP = Registry("CLIP family", home="frozenseg.modeling.clip")
SAM = Registry("SAM", home="frozenseg.modeling.sam")
PIXEL_DECODER = Registry("pixel decoder", home="frozenseg.modeling.pixel_decoder")
TRANSFORMER_DECODER = Registry("transformer decoder", home="frozenseg.modeling.transformer_decoder")
EVALUATOR = Registry("evaluator", home="frozenseg.evaluation")
