"""Install a wheel into a fresh virtual environment, away from the clone, and run README's Python example there.

Examples:
    python -m build --wheel --outdir dist
    python tools/check_wheel.py dist/frozenseg-0.1.0-py3-none-any.whl

Neither the environment nor the folder of the example sees the clone. Shipped configs are loaded by name, and README's
first Python block runs as printed. `make wheel` does both steps.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = """
from pathlib import Path

import frozenseg
from frozenseg import load_config
from frozenseg.config import config_names

assert "site-packages" in frozenseg.__file__, frozenseg.__file__
for name in config_names():
    load_config(name)
load_config("configs/frozenseg/convnext_large.yaml")
print(len(config_names()), "configs in", Path(frozenseg.__file__).parent)
"""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("wheel", type=Path, help="the file that was built")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Check a wheel; returns the exit code: 0, or 2 with a sentence about the first step that failed."""
    wheel = parse_arguments(argv).wheel.resolve()
    if not wheel.is_file():
        print(f"error: There is no wheel {wheel}: build it with `python -m build --wheel`.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        python = make_environment(Path(folder, "venv"))
        steps = {
            "install the wheel": ["-m", "pip", "install", "--quiet", str(wheel)],
            "load the shipped configs by name": ["-c", CONFIGS],
            "run README's Python example": ["-c", readme_example()],
        }
        for title, arguments in steps.items():
            print(f"── {title}", flush=True)
            if subprocess.run([str(python), *arguments], cwd=folder, env=clean_environment(), check=False).returncode:
                print(f"error: The wheel {wheel.name} failed to {title}; its output is above.", file=sys.stderr)
                return 2
        print("written by the example:", *sorted(path.name for path in Path(folder).glob("*.png")))
    return 0


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with pip; returns its interpreter."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environment() -> dict[str, str]:
    """Return the environment variables without those that would lead Python back to the clone."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def readme_example() -> str:
    """Return the first Python block of README.md."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    if match is None:
        raise SystemExit("error: README.md has no Python example.")
    return match[1]


if __name__ == "__main__":
    sys.exit(main())
