"""What maglevc's TLS flags say; light, as it is made before anybody knows whether a server will be called."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files.

    Without `ca` this system's own CAs are trusted. `cert` and `key` are what the server is shown, if it asks.
    `server_name` is the name that its certificate has to have, where that is not the host of the address.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
