"""The embedded VPP: the same sockets, wire format, lb semantics and stats segment as the real one.

Nothing is imported here: `python -m maglev.emulator` has signals to set before the rest is.
"""
