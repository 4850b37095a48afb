"""Services: one run, many requests."""
