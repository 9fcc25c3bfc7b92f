"""What is in a group of errors."""

from maglev.errors import MaglevError, Refused, Unavailable, leaves


def test_errors_are_found_in_groups_within_groups_in_their_order() -> None:
    first, second, third = Refused("no"), Unavailable("gone"), Refused("never")
    members: list[MaglevError | ExceptionGroup[MaglevError]] = [first, ExceptionGroup("inner", [second]), third]

    assert list(leaves(ExceptionGroup("outer", members))) == [first, second, third]
