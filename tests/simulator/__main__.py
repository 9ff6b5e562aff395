"""Run the simulator as a process."""

import sys

from simulator import app

sys.exit(app.main())
