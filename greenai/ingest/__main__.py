"""``python -m greenai.ingest FOLDER``: take one run into the database that GREENAI_DB names, quietly.

Started by the sampler when a run is over, and each hour of a service, whose past it condenses. With ``--condense``
it does nothing but that. Whatever goes wrong, the journal stays, and the next reader takes it in.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from greenai.core.errors import GreenAIError
from greenai.ingest.ingest import condense_folder, ingest_folder
from greenai.settings import load_settings
from greenai.store import open_store


def main() -> int:
    """Take in the run; 1 if that failed."""
    folder = Path(sys.argv[-1])
    try:
        if "--condense" in sys.argv:
            condense_folder(folder)
            return 0
        settings = load_settings()
        with closing(open_store(settings.db)) as store:
            ingest_folder(store, settings, folder)
    except (GreenAIError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    os.nice(19)  # nobody waits for it, and the tracked program may still be at work
    sys.exit(main())
