"""The journal of a run: append-only files in ``<spool>/<run id>/<host>-<pid>.jsonl``, one per process."""
