"""Grid intensity over time: fetched on request, kept on disk with its provenance, offline otherwise."""
