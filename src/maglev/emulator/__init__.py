"""The embedded VPP: the same sockets, wire format, lb semantics and stats segment as the real one."""
