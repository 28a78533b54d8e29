"""What differs between operating systems: locks, durable files, memory, cores; and retries."""

from __future__ import annotations

import os

WINDOWS: bool = os.name == "nt"
