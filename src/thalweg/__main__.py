"""``python -m thalweg``: the command line."""

import sys

from thalweg.cli import main

sys.exit(main())
