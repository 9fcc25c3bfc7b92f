"""The console script of maglevd; keeps an interrupt during the imports from becoming a traceback."""

import faulthandler
import os
import signal
import sys


def maglevd() -> None:
    """Run maglevd: until the daemon takes over its signals, Ctrl-C just ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.stderr is not None:
        faulthandler.enable()  # when systemd's watchdog aborts us, the log has where each thread stood
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # no configuration has been read yet
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # else each stranger's failed handshake is a line on stderr
    try:
        from maglev.daemon import main  # imported late on purpose: it takes most of the start

        main()
    except Exception:  # noqa: BLE001  whatever it is: Python's own status for it is 1, of a bad file, which systemd leaves
        sys.excepthook(*sys.exc_info())
        sys.exit(os.EX_SOFTWARE)


if __name__ == "__main__":
    maglevd()
