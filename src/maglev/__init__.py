"""maglev: a control plane for VPP's Maglev load balancer."""

from importlib.metadata import version

__version__ = version("maglev")
