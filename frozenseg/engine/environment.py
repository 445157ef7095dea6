"""Environment of a run: command, git revision, system, GPUs and packages.

torch.utils.collect_env reports similar facts, but starts a dozen processes, which takes more than half a second.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from frozenseg import distributed

DISTRIBUTION = "frozenseg"
NOT_INSTALLED = "not installed"
MAIN_PACKAGES = ("frozenseg", "torch", "torchvision", "open_clip_torch", "segment-anything", "timm", "numpy")


def environment_line() -> str:
    """Return the environment in one line for the log: system, Python, main packages, GPU, processes."""
    packages = ", ".join(f"{name} {version}" for name, version in package_versions(MAIN_PACKAGES).items())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return (
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}, GPU {gpu}, "
        f"processes {distributed.world_size()}"
    )


def environment_report() -> str:
    """Return the environment as lines ``name: value``, followed by the installed packages as ``name==version``."""
    gpu_count = torch.cuda.device_count()
    gpus = [torch.cuda.get_device_name(index) for index in range(gpu_count)]
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]  # torch's function has no annotations
    facts = {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join([sys.executable, *sys.argv]),
        "folder": str(Path.cwd()),
        "git revision": git_revision(),
        "system": platform.platform(),
        "host": platform.node(),
        "cores": str(os.cpu_count()),
        "GPUs": ", ".join(gpus) or "none",
        "CUDA": f"{torch.version.cuda}, cuDNN {cudnn}" if gpu_count else "none",
        "processes": str(distributed.world_size()),
        "Python": sys.version.replace("\n", " "),
    }
    metadata = (item.metadata for item in importlib.metadata.distributions())  # parsed by each access
    installed = {(item["Name"] or "").lower(): item["Version"] for item in metadata}
    packages = [f"{name}=={version}" for name, version in sorted(installed.items()) if name]
    return "\n".join([*(f"{name}: {value}" for name, value in facts.items()), "packages:", *packages])


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of packages; "not installed" for those that are missing."""
    return {name: _version(name) for name in packages}


def git_revision(file: Path = Path(__file__)) -> str:
    """Return the commit of the repository that tracks a file, and the files changed since.

    A package that pip has installed from a git URL is identified by the commit that pip has recorded.

    Args:
        file: a source file.

    Returns:
        The commit, or "unknown: …" with the reason.
    """
    git = shutil.which("git")
    if git is None or not _output(git, "-C", str(file.parent), "ls-files", "--error-unmatch", file.name):
        return _installed_commit() or "unknown: not a git clone"
    commit = _output(git, "-C", str(file.parent), "rev-parse", "HEAD")
    if not commit:
        return "unknown: git reports no commit"
    status = _output(git, "-C", str(file.parent), "status", "--porcelain", "--untracked-files=no")
    changed = [line[3:] for line in status.splitlines()]
    return f"{commit}, changed since: {', '.join(changed)}" if changed else commit


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (git, fixed arguments)
    return result.stdout.rstrip() if result.returncode == 0 else ""


def _installed_commit() -> str:
    """Return the commit that pip has recorded (PEP 610), or an empty string."""
    try:
        origin = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return str(json.loads(origin or "{}").get("vcs_info", {}).get("commit_id", ""))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return NOT_INSTALLED
