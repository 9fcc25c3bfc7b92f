"""A zoo of misbehaving servers, each with the verdict that it must get from our probes and from HAProxy."""

from tests.probes.zoo import bodies, plain, tls
from tests.probes.zoo.animal import Animal

SECTIONS: dict[str, tuple[Animal, ...]] = {
    "Connection": plain.CONNECTION,
    "Status": plain.STATUS,
    "Protocol": plain.PROTOCOL,
    "Head": plain.HEAD,
    "Body": bodies.BODY,
    "Certificate": tls.CERTIFICATES,
    "Handshake": tls.HANDSHAKE,
    "Inside TLS": tls.INSIDE,
}
ANIMALS: tuple[Animal, ...] = tuple(animal for section in SECTIONS.values() for animal in section)
