"""Registries: classes and functions by the names that a config uses for them.

Each registry knows the package of its entries. The modules of that package are imported when a name is first looked
up, so that a new file in the folder adds an entry, and ``import frozenseg`` registers nothing.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, TypeVar

from fvcore.common.registry import Registry as FvcoreRegistry

from frozenseg.errors import ConfigError, did_you_mean

Entry = TypeVar("Entry", bound=Callable[..., Any])


class Registry(FvcoreRegistry):
    """Registry of fvcore for entries of one kind, which imports the modules that register them.

    Args:
        name: kind of the entries, for error messages.
        home: dotted name of the package with the modules that register the entries.
    """

    def __init__(self, name: str, home: str) -> None:
        super().__init__(name)
        self._home = home
        self._imported = False

    def register(self) -> Callable[[Entry], Entry]:
        """Return a decorator that registers a class or function under its ``__name__``."""
        decorator: Callable[[Entry], Entry] = super().register()
        return decorator

    def look_up(self, name: str) -> Any:
        """Return the entry with a name.

        Raises:
            ConfigError: there is no such entry; the message has the nearest names and all names.
            ImportError: a module of the package cannot be imported.
        """
        if name not in self.names():
            raise ConfigError(
                f"Unknown {self._name} {name!r}.{did_you_mean(name, self.names())} Known: {', '.join(self.names())}."
            )
        return self.get(name)

    def names(self) -> list[str]:
        """Return the names of all entries, sorted.

        Raises:
            ImportError: a module of the package cannot be imported.
        """
        self._import_home()
        return sorted(name for name, _ in self)

    def _import_home(self) -> None:
        if self._imported:
            return
        package = importlib.import_module(self._home)
        for module in pkgutil.iter_modules(package.__path__, prefix=f"{self._home}."):
            importlib.import_module(module.name)
        self._imported = True  # set last, so that a failed import is retried, and raises again, at the next look-up


META_ARCH = Registry("meta-architecture", home="frozenseg.modeling.meta_arch")
CLIP = Registry("CLIP family", home="frozenseg.modeling.clip")
SAM = Registry("SAM", home="frozenseg.modeling.sam")
PIXEL_DECODER = Registry("pixel decoder", home="frozenseg.modeling.pixel_decoder")
TRANSFORMER_DECODER = Registry("transformer decoder", home="frozenseg.modeling.transformer_decoder")
EVALUATOR = Registry("evaluator", home="frozenseg.evaluation")
