"""``python -m greenai.ingest FOLDER...``: take runs into the database that GREENAI_DB names, quietly.

Started by the sampler when a run is over, and each hour of a service, whose past it condenses. With ``--condense``
it does nothing but that; with ``--hosts`` it helps another process with a run of many hosts. The first process of
a container starts it at its end, for all of its runs. Whatever goes wrong, the journal stays, and the next reader
takes it in.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from greenai.core.errors import GreenAIError
from greenai.ingest.ingest import condense_folder, ingest_folder, without_collector
from greenai.ingest.workers import serve
from greenai.settings import load_settings
from greenai.store import open_store


def main() -> int:
    """Take in the runs; 1 if that failed for any of them."""
    code = 0
    try:
        if sys.argv[1] == "--hosts":
            with without_collector():
                serve()
            return 0
        if sys.argv[1] == "--condense":
            condense_folder(Path(sys.argv[2]))
            return 0
        settings = load_settings()
        with closing(open_store(settings.db)) as store:
            for folder in map(Path, sys.argv[1:]):
                try:
                    ingest_folder(store, settings, folder)
                except (GreenAIError, OSError):
                    code = 1
    except (GreenAIError, OSError):
        return 1
    return code


if __name__ == "__main__":
    if sys.argv[1:2] != ["--hosts"]:
        os.nice(19)  # nobody waits for it, and the tracked program may still be at work
    sys.exit(main())
