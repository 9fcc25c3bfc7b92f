"""The keys of each section, taken from the parser, under the words that documents use for the section."""

from collections.abc import Mapping
from types import ModuleType

from maglev.config import frontends, healthchecks, lb, parse

SECTIONS: Mapping[str, tuple[ModuleType, str]] = {
    "maglev": (parse, "_SECTION_KEYS"),
    "maglev.healthchecker": (parse, "_CHECKER_KEYS"),
    "maglev.vpp": (parse, "_VPP_KEYS"),
    "maglev.vpp.lb": (lb, "_KEYS"),
    "maglev.healthchecks.NAME": (healthchecks, "_CHECK_KEYS"),
    "maglev.healthchecks.NAME.params, http and https": (healthchecks, "_HTTP_KEYS"),
    "maglev.healthchecks.NAME.params, tcp": (healthchecks, "_TCP_KEYS"),
    "maglev.backends.NAME": (healthchecks, "_BACKEND_KEYS"),
    "maglev.frontends.NAME": (frontends, "_KEYS"),
    "maglev.frontends.NAME.pools[]": (frontends, "_POOL_KEYS"),
    "maglev.frontends.NAME.pools[].backends.NAME": (frontends, "_BACKEND_KEYS"),
}
KEYS: Mapping[str, tuple[str, ...]] = {section: vars(module)[name] for section, (module, name) in SECTIONS.items()}
