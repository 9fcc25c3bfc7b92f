"""The embedded VPP: the same sockets, wire format, lb semantics and stats segment as the real one."""

from maglev.emulator.service import Emulator, EmulatorConfig, serve

__all__ = ["Emulator", "EmulatorConfig", "serve"]
