"""``python -I -m greenai.slurm.site start|stop|announce``: what Prolog, Epilog and TaskProlog call.

``collect JOB USER GROUP GROUPS...`` (numbers) is the collector, which ``start`` starts as root; ``died FOLDER NODE
USER GROUP GROUPS...`` says in a run, for ``stop``, that its collector is gone.

It ends with 0 whatever happens: a Prolog or Epilog that fails makes Slurm take the node out of service.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Do what the first argument says."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        # Before this process is a user's, who may not be able to read it.
        from greenai.slurm.site.log import log

        try:
            _do(word)
        except Exception as error:  # noqa: BLE001  # our failure never endangers a job or a node
            if word != "announce":  # its user would find it in the job's output
                log(f"{word}: {error!r}")
        sys.stdout.flush()
    finally:
        os._exit(0)  # nothing that is left may hold up the job


def _do(word: str) -> None:
    if word == "start":
        from greenai.slurm.site.prolog import start

        start(os.environ)
    elif word == "stop":
        from greenai.slurm.site.epilog import stop

        stop(os.environ)
    elif word == "collect":
        from greenai.slurm.site.privileges import become, spare_from_want_of_memory
        from greenai.slurm.site.question import answer

        spare_from_want_of_memory()
        jobs = answer(sys.argv[2], os.environ)
        become(*map(int, sys.argv[3:]))  # before anything of his is opened
        from greenai.slurm.site.collect import collect

        collect(jobs)
    elif word == "died":
        from pathlib import Path

        from greenai.slurm.site.died import leave_word
        from greenai.slurm.site.privileges import become

        become(*map(int, sys.argv[4:]))
        leave_word(Path(sys.argv[2]), sys.argv[3])
    elif word == "announce":
        from greenai.slurm.site.notes import announcement

        sys.stdout.write(announcement(os.environ))


if __name__ == "__main__":
    main()
