import pytest

from maglev.vpp.retvals import refusal


@pytest.mark.parametrize(
    ("retval", "advice"),
    [
        (-6, "no such VIP or backend"),
        (-70, "powers of two"),
        (-73, "one encap"),
        (-81, "there already"),
        (-97, "address family"),
        (-1, "api_errno.h"),
    ],
)
def test_a_refusal_says_what_to_do(retval: int, advice: str) -> None:
    error = refusal("lb_add_del_vip_v2", retval, vip="192.0.2.1/32 tcp/80")

    assert error.fields == {"retval": retval, "vip": "192.0.2.1/32 tcp/80"}
    assert "lb_add_del_vip_v2" in str(error)
    assert advice in str(error)
