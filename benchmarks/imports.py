"""What importing costs, and what it must not load."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.table import process_ms, show

HEAVY = ("sqlalchemy", "pandas", "dash", "codecarbon", "click", "numpy")
USES = (
    ("import greenai", "30"),
    ("import greenai; greenai.track", "-"),
    ("import codecarbon", "-"),
    ("from codecarbon import EmissionsTracker", "-"),
)


def main() -> None:
    """Print import times above a bare interpreter, and the heavy modules that came along."""
    bare_ms = process_ms("pass")
    rows = [("(bare interpreter)", "-", f"{bare_ms:.0f}", "-")]
    rows += [(code, limit, f"{process_ms(code) - bare_ms:+.0f}", _heavy(code)) for code, limit in USES]
    show("Import, ms above a bare interpreter (median of 15)", ("what", "asked", "ms", "heavy modules"), rows)


def _heavy(code: str) -> str:
    check = f"{code}\nimport sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True).stdout
    return found.strip() or "none"
