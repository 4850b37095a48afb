"""Report exporters: a frozen view in, the bytes of a file out."""
