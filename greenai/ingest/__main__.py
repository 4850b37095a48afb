"""``python -m greenai.ingest FOLDER``: take one run into the database that GREENAI_DB names, quietly.

Started by the sampler and the command wrapper when a run is over. Whatever goes wrong, the journal stays, and the
next reader takes it in.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from greenai.core.errors import GreenAIError
from greenai.ingest.ingest import ingest_folder
from greenai.settings import load_settings
from greenai.store import open_store


def main() -> int:
    """Take in the run; 1 if that failed."""
    try:
        settings = load_settings()
        with closing(open_store(settings.db)) as store:
            ingest_folder(store, settings, Path(sys.argv[1]))
    except (GreenAIError, OSError):
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
