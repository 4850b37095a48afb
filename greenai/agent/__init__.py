"""``greenai agent``: a small service that reads what users may not, and hands out figures and nothing else."""
