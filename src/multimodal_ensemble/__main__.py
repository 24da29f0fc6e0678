"""``python -m multimodal_ensemble``: the command line."""

import sys

from multimodal_ensemble.cli import main

if __name__ == "__main__":
    sys.exit(main())
