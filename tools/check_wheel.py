"""Install a wheel into a new virtual environment outside the clone, and run the README's Python example there.

Examples:
    python -m build --wheel --outdir dist
    python tools/check_wheel.py dist/frozenseg-0.1.0-py3-none-any.whl

Neither the environment nor the working folder has access to the clone. All configs in the wheel are loaded by name, and
the first Python block of README.md is run as printed. `make wheel` does both steps.
"""

import argparse
import os
import re
import subprocess
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import ConfigError

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
    parser = docstring_parser(__doc__)
    parser.add_argument("wheel", type=Path, help="wheel file to check")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: check_wheel(arguments.wheel.resolve()))


def check_wheel(wheel: Path) -> None:
    """Install the wheel, load its configs and run the README's example.

    Raises:
        ConfigError: The file does not exist, or a step fails.
    """
    if not wheel.is_file():
        raise ConfigError(f"There is no wheel {wheel}: build it with `python -m build --wheel`.")
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
                raise ConfigError(f"The wheel {wheel.name} failed to {title}; its output is above.")
        print("written by the example:", *sorted(path.name for path in Path(folder).glob("*.png")))


def make_environment(folder: Path) -> Path:
    """Create a virtual environment with pip; returns its interpreter."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environment() -> dict[str, str]:
    """Return the environment variables without those that make Python import from the clone."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def readme_example() -> str:
    """Return the first Python block of README.md.

    Raises:
        ConfigError: There is none.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    if match is None:
        raise ConfigError("README.md has no Python example.")
    return match[1]


if __name__ == "__main__":
    raise SystemExit(main())
