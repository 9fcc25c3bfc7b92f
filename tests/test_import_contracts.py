"""The import contracts themselves are checked by lint-imports; here, that none of the libraries we use escapes them."""

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> set[str]:
    """The first words of all modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module)
    return {name.partition(".")[0] for name in names}


def test_each_library_of_others_is_named_in_an_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {module for contract in contracts for module in contract.get("protected_modules", ())}
    used = set[str]().union(*map(imported, (ROOT / "src/maglev").rglob("*.py"))) - sys.stdlib_module_names

    assert used - {"maglev"} == {module for module in named if not module.startswith("maglev")}
