"""`make man`: writes maglevd.8 and maglevc.1 into a directory."""

import sys
from pathlib import Path

from maglev.manuals import maglevc, maglevd

PAGES = {"maglevd.8": maglevd.page, "maglevc.1": maglevc.page}


def main(directory: Path) -> None:
    """Each page whole, or the one before stays."""
    for name, page in PAGES.items():
        (directory / name).write_text("".join(f"{line}\n" for line in page()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
