"""The console script of maglevd; keeps an interrupt during the imports from becoming a traceback."""

import os
import signal


def maglevd() -> None:
    """Run maglevd: until the daemon takes over its signals, Ctrl-C just ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # no configuration has been read yet
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # else each stranger's failed handshake is a line on stderr
    from maglev.daemon import main  # imported late on purpose: it takes most of the start

    main()


if __name__ == "__main__":
    maglevd()
