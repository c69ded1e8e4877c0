"""`python -m inrc.cli`: the same program where the script is not on the path."""

import sys

from inrc.cli import main

sys.exit(main())
