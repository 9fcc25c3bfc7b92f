"""maglev: a control plane for VPP's Maglev load balancer."""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__` is looked up when it is asked for: reading package metadata would lengthen every start."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("maglev")
