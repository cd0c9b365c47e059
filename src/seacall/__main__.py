"""``python -m seacall``, as torchrun wants it."""

from seacall.cli.main import main

if __name__ == "__main__":
    main()
