"""`python -m maglev.demo`; keeps an interrupt during the imports from becoming a traceback."""

import signal
import sys


def main() -> int:
    """Run the demo: until it takes over its signals, Ctrl-C just ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from maglev.demo import program  # imported late on purpose: it takes most of the start

    return program.main()


if __name__ == "__main__":
    sys.exit(main())
