"""Start one program in the background, in a session of its own, and print its process id.

A script, not a part of the package: it runs inside the cluster's namespaces
(`python launch.py LOG COMMAND ...`). The fork makes the child a member of the process namespace that
was entered, while the number that is printed is the one that the rest of the machine sees.
"""

import os
import sys


def main(log: str, command: list[str]) -> None:
    """Fork, print the child's process id, and end; the child runs the command."""
    child = os.fork()
    if child:
        print(child, flush=True)
        os._exit(0)
    os.setsid()
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    source = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((source, 0), (sink, 1), (sink, 2)):
        os.dup2(number, target)
    os.chdir("/")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
