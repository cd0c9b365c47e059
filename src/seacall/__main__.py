"""``python -m seacall``, as torchrun wants it."""

from seacall.cli.main import main

main()
