"""greenai: ``with greenai.track(...)`` at its default settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from work import work  # type: ignore[import-not-found]

import greenai

with greenai.track("accuracy") as run:
    work(float(sys.argv[1]))
Path(os.environ["SIMULATED_RESULT"]).write_text(json.dumps(run.result.to_dict()))
