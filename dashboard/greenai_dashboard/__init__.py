"""The dashboard: runs, one run, and the comparison of AI with classical solutions, in the browser."""
