"""The command line: stdout is data, stderr is talk. ``greenai.cli.main`` is the entry point."""
