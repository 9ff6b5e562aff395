"""Know the processes of this machine, and watch over the browser's from a process beside it."""
