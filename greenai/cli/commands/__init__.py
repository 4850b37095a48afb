"""One module per command; each has ``build(app) -> click.Command`` and is imported only when it is called."""
