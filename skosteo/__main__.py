"""``python -m skosteo``: see `skosteo.study.command`."""

import sys

from skosteo.study.command import main

if __name__ == "__main__":
    sys.exit(main())
