"""Probes of backends, one protocol a file; must not know what a result does to a backend's health."""

from maglev.probes import rights
from maglev.probes.run import Prober

__all__ = ["Prober", "rights"]
