"""A contender whose library leaves a process behind that holds its pipes; it tells which."""

from __future__ import annotations

import json
import subprocess
import sys

if __name__ == "__main__":
    sys.stdin.readline()
    child = subprocess.Popen(["sleep", "600"])
    print(json.dumps({"about": str(child.pid)}), flush=True)
    sys.stdin.readline()
