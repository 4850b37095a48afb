"""``python -m greenai``: the command line."""

from greenai.cli.main import main

main()
