"""The only door to the machine: files, environment, clocks and vendor libraries."""

from greenai.host.machine import Clock, Host, SiteKnowledge, this_host

__all__ = ["Clock", "Host", "SiteKnowledge", "this_host"]
