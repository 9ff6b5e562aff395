"""Loaded by Python when `scenes.wrong_clock` starts a process: what that starts in turn sees the right time."""

import os

os.environ.pop("LD_PRELOAD", None)
