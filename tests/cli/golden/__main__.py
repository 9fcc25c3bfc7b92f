from tests.cli.golden import HERE, PAGES, drawn, path

for stale in HERE.glob("*.txt"):
    stale.unlink()
for name, page in PAGES.items():
    path(name).write_text(drawn(page))
