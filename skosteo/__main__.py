"""``python -m skosteo``: see `skosteo.study.cli`."""

import sys

from skosteo.study.cli import main

if __name__ == "__main__":
    sys.exit(main())
