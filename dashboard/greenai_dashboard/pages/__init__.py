"""One module per page: a pure ``layout`` and a ``register`` that connects its callbacks to an app."""
