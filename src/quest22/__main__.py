"""``python -m quest22`` is the command ``quest22``."""

from __future__ import annotations

import sys

from quest22.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
