"""Start the command so that it can be stopped from its first moment."""

import sys

from whatsapp_session import early_stop


def main() -> int:
    """Run the command; returns its exit code."""
    # An operator that was asked to stop has done so; another command has not done its work.
    early_stop.listen(0 if sys.argv[1:2] == ["run"] else None)
    from whatsapp_operator import app

    code = app.main()
    early_stop.settle()  # the event loop gave its signals back to Python
    return code
