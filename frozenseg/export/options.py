"""Options of an export, and the packages that each format needs."""

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

from frozenseg.errors import ConfigError
from frozenseg.vocabulary import Vocabulary

ExportFormat = Literal["onnx", "torch-export", "aoti"]
GRAPH_SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2", "aoti": ".pt2"}
DTYPE_NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}  # as PyTorch names them
EXPORT_PACKAGES = ("onnx", "onnxscript", "onnx_ir", "onnxruntime", "tokenizers")


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        kind: format of the graphs.
        size: height and width of the image graph's input; None for any size.
        precision: of the frozen image trunks; decoders, text encoder and outputs stay in fp32.
        int8: store the weights of the frozen image trunks as 8-bit integers.
        vocabulary: whose text embeddings are stored beside the graphs; None for none.

    Raises:
        ConfigError: a combination that no runtime computes, or a size that is no multiple of 32.
    """

    kind: ExportFormat = "onnx"
    size: tuple[int, int] | None = None
    precision: str = "fp32"
    int8: bool = False
    vocabulary: Vocabulary | None = None

    def __post_init__(self) -> None:
        """Check the combination."""
        if self.kind == "onnx" and self.precision == "bf16":
            raise ConfigError(
                "--precision bf16 with --format onnx: onnxruntime has no bfloat16 convolutions. Use fp16, or --format "
                "torch-export."
            )
        if self.int8 and self.precision != "fp32":
            raise ConfigError(f"--int8 with --precision {self.precision}: the integers are scaled in fp32; use one.")
        if self.size is not None and any(side % 32 or side <= 0 for side in self.size):
            raise ConfigError(f"--size {self.size[0]} {self.size[1]}: expected positive multiples of 32.")

    def require_packages(self) -> None:
        """Check that the packages of the format are installed.

        Raises:
            ConfigError: one is missing.
        """
        needed = EXPORT_PACKAGES if self.kind == "onnx" else ("tokenizers",)
        missing = [name for name in needed if importlib.util.find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"--format {self.kind} needs {', '.join(missing)}, not installed: pip install 'frozenseg[export]'."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the options for the manifest, without the vocabulary."""
        size = None if self.size is None else list(self.size)
        return {"kind": self.kind, "size": size, "precision": self.precision, "int8": self.int8}
