"""Makes contrib's unit of maglevd, on stdin, one for the systemd whose version is the argument; "" is an old one.

Type=notify-reload is systemd's since 253: it sends the signal, then runs ExecReload. Before, that sends it too, in
the same order: so maglevd itself judges the file, with its metric and log, and the check behind it is what systemctl
says. By sh, as kill as a program is in a package that may not be there.
"""

import re
import sys

NEW = 253
CHECK = "ExecReload=/usr/sbin/maglevd --check\n"


def for_old_systemd(unit: str) -> str:
    """The unit for systemd before 253; exits if it is not as it has to be for that."""
    lines = unit.splitlines(keepends=True)
    if [line for line in lines if line.startswith(("Type=", "ExecReload="))] != ["Type=notify-reload\n", CHECK]:
        sys.exit("maglevd.service: needs Type=notify-reload, then the one ExecReload that checks; mend debian/unit.py")
    made = unit.replace("Type=notify-reload\n", "Type=notify\n")
    made = made.replace(CHECK, f"ExecReload=/bin/sh -c 'kill -HUP $MAINPID'\n{CHECK}")
    return re.sub(r"# systemd before 253 [^\n]*\n", "", made)


def main() -> None:
    """Filter stdin to stdout."""
    unit = sys.stdin.read()
    major = re.match(r"\d+", sys.argv[1])
    is_new = major is not None and int(major[0]) >= NEW
    sys.stdout.write(unit if is_new else for_old_systemd(unit))


if __name__ == "__main__":
    main()
