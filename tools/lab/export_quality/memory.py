"""Peak memory of an export and its check, which run in a separate process."""

import subprocess
import sys
import time
from collections.abc import Sequence

from frozenseg.errors import DataError

KIB_IN_GIB = 2**20
COMMAND = "import sys; from frozenseg.cli.main import main; sys.exit(main())"


def measure_memory(flags: Sequence[str]) -> int:
    """Run ``frozenseg export`` with flags, and print its peak resident memory and its processor time.

    Args:
        flags: of the verb.

    Returns:
        The exit code of the export, which is 1 if its check fails.

    Raises:
        DataError: the operating system gives the memory of processes in another unit.
    """
    if not sys.platform.startswith("linux"):
        raise DataError(f"Peak memory on {sys.platform}: only Linux gives it in KiB. Run the tool there.")
    import resource  # of Unix

    started = time.perf_counter()
    code = subprocess.run([sys.executable, "-c", COMMAND, "export", *flags], check=False).returncode
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"peak resident memory {usage.ru_maxrss / KIB_IN_GIB:.2f} GiB, processor time "
        f"{usage.ru_utime + usage.ru_stime:.0f} s, {time.perf_counter() - started:.0f} s in all"
    )
    return code
