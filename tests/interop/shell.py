"""Running other programs."""

import subprocess
import sys


def sh(*command, cwd=None, input=None):
    """Runs a program that has to succeed and gives the octets that it printed."""
    given = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    done = subprocess.run(command, capture_output=True, cwd=cwd, **given)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")
        sys.exit(f"servers: {' '.join(map(str, command))}: {said}")
    return done.stdout
