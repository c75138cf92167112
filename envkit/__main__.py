"""``python -m envkit`` is ``envkit``."""

from envkit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
