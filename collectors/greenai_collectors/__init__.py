"""Sensor families: one file each, found by entry point ``greenai.collectors``. They know core and host only."""
