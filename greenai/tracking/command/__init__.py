"""``greenai run``: a command as it would be without us, and the run around it."""
