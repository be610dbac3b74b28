"""``python -m skosteo``: see `skosteo.commands`."""

import sys

from skosteo.commands import main

if __name__ == "__main__":
    sys.exit(main())
