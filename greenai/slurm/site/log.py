"""Where administrators find why a job was not measured: the system's log, as ``greenai``."""

from __future__ import annotations

import syslog


def log(message: str) -> None:
    """Write a line."""
    syslog.openlog("greenai", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_WARNING, " ".join(message.split())[:1000])
