"""The guide taken apart into its tables and blocks of code, and a configuration in which any key can be changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

GUIDE = (Path(__file__).parents[2] / "docs" / "config-guide.md").read_text()
WEB, TCP_PARAMS, HTTP_PARAMS = (
    "maglev.healthchecks.NAME",
    "maglev.healthchecks.NAME.params, tcp",
    "maglev.healthchecks.NAME.params, http and https",
)
BACKEND, FRONTEND, POOL = "maglev.backends.NAME", "maglev.frontends.NAME", "maglev.frontends.NAME.pools[]"
LB = "maglev.vpp.lb"

Changes = Mapping[str, Mapping[str, str | None]]
"""Values as one writes them, by section and key; None leaves the key out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One key as the guide has it; code marks still around what is literal."""

    section: str
    key: str
    type: str
    default: str
    range: str
    example: str


def rows() -> Iterator[Row]:
    for section, body in re.findall(r"^### `([^`\n]+)`$(.*?)(?=^##)", GUIDE + "\n## ", re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^\| (.+) \|$", body, re.MULTILINE):
            key, *cells = (cell.strip() for cell in line.split("|"))
            if key != "key":
                yield Row(section, key, *cells)


def blocks() -> Iterator[tuple[str, str, str]]:
    """The last heading, the language and the text of each block of code."""
    heading, language, text = "", None, ""
    for line in GUIDE.splitlines(keepends=True):
        if line.startswith("```"):
            if language is not None:
                yield heading, language, text
            language, text = (line[3:].strip(), "") if language is None else (None, "")
        elif language is not None:
            text += line
        elif line.startswith("#"):
            heading = line.strip("# \n`")


ROWS = list(rows())
BLOCKS = list(blocks())
EXAMPLES = {heading: text for heading, language, text in BLOCKS if language == "yaml"}
SHOWN = [
    (text, BLOCKS[index + 1][2])
    for index, (_, language, text) in enumerate(BLOCKS)
    if language.startswith("yaml") and index + 1 < len(BLOCKS) and BLOCKS[index + 1][1] == "text"
]


def written(changes: Changes = MappingProxyType({})) -> str:
    """A valid configuration in which every key of every section can be set, left out or made wrong."""

    def section(title: str, **usual: str) -> str:
        values: dict[str, str | None] = {key.replace("_", "-"): value for key, value in usual.items()}
        values |= changes.get(title, {})
        return "{" + ", ".join(f"{key}: {value}" for key, value in values.items() if value is not None) + "}"

    params = section(HTTP_PARAMS)
    web = section(WEB, type="https", port="443", params=params)
    mail = "{type: tcp, port: 993, params: " + section(TCP_PARAMS, ssl="true") + "}"
    lb = section(LB, ipv4_src_address="192.0.2.254", ipv6_src_address='"2001:db8::fe"')
    pool = section(POOL, name="primary", backends="{plain: " + section(f"{POOL}.backends.NAME") + "}")
    return "maglev: " + section(
        "maglev",
        healthchecker=section("maglev.healthchecker"),
        vpp=section("maglev.vpp", lb=lb),
        healthchecks="{web: " + web + ", mail: " + mail + "}",
        backends="{plain: {address: 198.51.100.1}, one: " + section(BACKEND, address="198.51.100.2") + "}",
        frontends="{www: " + section(FRONTEND, address="192.0.2.1", pools=f"[{pool}]") + "}",
    )


def with_key(row: Row, literal: str | None) -> str:
    """The configuration with `row`'s key as `literal`, and beside it what that value needs."""
    beside: dict[str, str | None] = {}
    match row.section, row.key:
        case "maglev.frontends.NAME", "port" if literal not in ("0", None):
            beside = {"protocol": "tcp"}
        case "maglev.frontends.NAME", "protocol" if literal is not None:
            beside = {"port": "80"}
        case "maglev.healthchecks.NAME", "type" if literal == "icmp":
            beside = {"port": None, "params": None}
        case "maglev.healthchecks.NAME", "type" if literal == "tcp":
            beside = {"params": None}
        case "maglev.vpp.lb", "startup-min-delay":
            beside = {"startup-max-delay": "24h"}
        case "maglev.vpp.lb", "startup-max-delay":
            beside = {"startup-min-delay": "0s"}
        case "maglev", "backends":
            beside = {"frontends": None}
    return written({row.section: {row.key: literal} | beside})


def literals(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def literal_default(row: Row) -> str | None:
    return row.default.strip("`") if row.default.startswith("`") else None
