"""``python -m frozenseg``: the command ``frozenseg`` with this interpreter."""

from frozenseg.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
