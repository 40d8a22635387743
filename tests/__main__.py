"""`python -m tests`: lint, types, import law, tests. Stops at the first that fails."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

STEPS = [
    [BIN / "ruff", "check", "."],
    [BIN / "ruff", "format", "--check", "."],
    [BIN / "mypy"],
    [BIN / "lint-imports"],
    [sys.executable, "-m", "pytest", *sys.argv[1:]],
]

for step in STEPS:
    print("+", *(getattr(part, "name", part) for part in step), flush=True)
    done = subprocess.run(step, cwd=ROOT, env={**os.environ, "NO_COLOR": "1"}, check=False)
    if done.returncode:
        sys.exit(done.returncode)
