"""The tables of docs/healthchecks-haproxy.md, made from the zoo; `python -m tests.probes.zoo.document` writes them."""

from pathlib import Path

from maglev.core.model import HttpSpec, TcpSpec
from tests.probes.zoo import ANIMALS, SECTIONS
from tests.probes.zoo.animal import NAME, Animal, Outcome, Question

PATH = Path(__file__).parents[3] / "docs" / "healthchecks-haproxy.md"
BEGIN = "<!-- From here on: make the tables anew with `python -m tests.probes.zoo.document` -->\n"


def made() -> str:
    """The tables and the list of differences."""
    return "\n".join(["## The zoo", "", *_tables(), "## Differences", "", *_differences()])


def write() -> None:
    kept, _, _ = PATH.read_text().partition(BEGIN)
    PATH.write_text(kept + BEGIN + "\n" + made())


def _tables() -> list[str]:
    lines = []
    for title, animals in SECTIONS.items():
        lines += [f"### {title}", "", "| animal | the server | asked | maglev | HAProxy 2.6 |", "|---|---|---|---|---|"]
        lines += [_row(animal) for animal in animals]
        lines.append("")
    return lines


def _row(animal: Animal) -> str:
    differs = animal.difference is not None
    haproxy = f"**{_shown(animal.haproxy)}**" if differs else _shown(animal.haproxy)
    return f"| {animal.name} | {animal.does} | {_asked(animal.question)} | {_shown(animal.ours)} | {haproxy} |"


def _shown(outcome: Outcome) -> str:
    passed, code = outcome
    return f"{'up' if passed else 'down'} {code}"


def _asked(question: Question) -> str:
    match question:
        case TcpSpec(tls=tls):
            words = ["tcp" if tls is None else "tcp with ssl"]
        case HttpSpec(tls=tls, codes=codes, body_regexp=body):
            words = ["http" if tls is None else "https"]
            if codes != ((200, 299),):
                words.append("code " + ",".join(f"{low}-{high}" if low != high else f"{low}" for low, high in codes))
            if body is not None:
                words.append(f"body `{body}`")
    if tls is not None and not tls.verify:
        words.append("not verified")
    elif tls is not None and tls.server_name != NAME:
        words.append("no name")
    return ", ".join(words)


def _differences() -> list[str]:
    names: dict[str, list[str]] = {}
    for animal in ANIMALS:
        if animal.difference is not None:
            names.setdefault(animal.difference.reason, []).append(animal.name)
    return [f"- {', '.join(those)}: {reason}" for reason, those in names.items()] + [""]


if __name__ == "__main__":
    write()
