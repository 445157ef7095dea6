"""Install a wheel into a new virtual environment outside the clone, and run README's example and commands there.

Examples:
    python -m build --wheel --outdir dist
    python tools/check_wheel.py dist/frozenseg-0.1.0-py3-none-any.whl

Neither the environment nor the working folder has access to the clone. All configs in the wheel are loaded by name, and
the first Python block of README.md is run as printed. So are its lines that begin with `frozenseg`, on fewer images and
with fewer steps. `make wheel` does both steps. The new environment downloads all required packages; --system-packages
uses those of this interpreter instead.
"""

import argparse
import os
import re
import shlex
import subprocess
import sysconfig
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

STEPS = ["SOLVER.MAX_ITER", "2", "SOLVER.IMS_PER_BATCH", "2", "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", "6"]
SHORTER = {  # arguments that shorten a line of README
    "prepare": ["--train", "4", "--val", "2", "--workers", "1"],
    "train": STEPS,
    "eval": STEPS[4:],
    "quickstart": ["--train", "4", "--val", "2", *STEPS, "TEST.SAM_MASK_POINTS", "2"],
}


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("wheel", type=Path, help="wheel file to check")
    parser.add_argument("--system-packages", action="store_true", help="use the packages of this interpreter")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: check_wheel(arguments.wheel.resolve(), arguments.system_packages))


def check_wheel(wheel: Path, system_packages: bool = False) -> None:
    """Install the wheel, load its configs, and run README's example and commands.

    Args:
        wheel: the file.
        system_packages: use the installed packages of this interpreter, and install the wheel alone.

    Raises:
        ConfigError: The file does not exist, or a step fails.
    """
    if not wheel.is_file():
        raise ConfigError(f"There is no wheel {wheel}: build it with `python -m build --wheel`.")
    with tempfile.TemporaryDirectory() as folder:
        python = make_environment(Path(folder, "venv"), system_packages)
        install = ["-m", "pip", "install", "--quiet", *(["--no-deps", "--force-reinstall"] if system_packages else [])]
        steps = {
            "install the wheel": [str(python), *install, str(wheel)],
            "load the shipped configs by name": [str(python), "-c", CONFIGS],
            "run README's Python example": [str(python), "-c", readme_example()],
        }
        command = python.with_name(f"frozenseg{python.suffix}")
        steps |= {f"run `frozenseg {line[0]}`": [str(command), *shortened(line)] for line in readme_commands()}
        for title, line in steps.items():
            print(f"── {title}", flush=True)
            if subprocess.run(line, cwd=folder, env=clean_environment(), check=False).returncode:
                raise ConfigError(f"The wheel {wheel.name} failed to {title}; its output is above.")
        print("written by the example:", *sorted(path.name for path in Path(folder).glob("*.png")))


def shortened(line: Sequence[str]) -> list[str]:
    """Return the arguments of ``frozenseg`` with those that shorten its work; the last value of a flag counts."""
    return [*line, *SHORTER.get(line[0], [])]


def make_environment(folder: Path, system_packages: bool = False) -> Path:
    """Create a virtual environment with pip; returns its interpreter.

    Args:
        folder: of the environment.
        system_packages: give it access to the packages of this interpreter, also if that is in an environment itself.
    """
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if system_packages:
        purelib = sysconfig.get_path("purelib", vars={"base": str(folder)})
        Path(purelib, "packages_of_this_interpreter.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python


def clean_environment() -> dict[str, str]:
    """Return the environment variables without those that make Python import from the clone."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def readme_commands() -> list[list[str]]:
    """Return the arguments of the lines of README.md that begin with ``frozenseg``."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("frozenseg ")]


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
