"""The story of the demo, each sentence checked against what maglevd serves and what VPP itself lists."""

from collections.abc import Awaitable, Callable, Sequence

import trio

from maglev.demo.backends import HttpBackends
from maglev.demo.view import View, Views, VipName

STEP_DEADLINE_S = 15.0
WWW: VipName = ("192.0.2.1/32", 80)
API: VipName = ("192.0.2.2/32", 443)
WWW6: VipName = ("2001:db8::1/128", 80)
BUCKETS = 1024

Tell = Callable[[str], None]


class NotSeen(Exception):
    """A sentence of the story did not come true in time."""


class Story:
    """Tells and checks; `has_traffic` is False where no flows arrive, then what needs them is said to be unchecked."""

    def __init__(self, views: Views, backends: HttpBackends, tell: Tell, *, has_traffic: bool) -> None:
        self._views = views
        self._backends = backends
        self._tell = tell
        self._has_traffic = has_traffic
        self._began = trio.current_time()

    async def run(self) -> None:
        """The whole story; raises NotSeen at the first sentence that does not come true."""
        await self._beginning()
        await self._one_backend_dies()
        await self._and_comes_back()
        await self._a_pool_is_lost()
        await self._and_the_pool_comes_back()

    async def _beginning(self) -> None:
        self._tell("maglevd starts, with an empty VPP and six backends that it knows nothing about")
        await self._see("maglevd is connected to VPP", lambda v: v.vpp is not None)
        names = list(self._backends.by_name)
        await self._see(f"{len(names)} backends are up", lambda v: all(v.state(n) == "up" for n in names))
        await self._see(
            "VPP has the three VIPs, every backend at its weight, the fallback pool at 0",
            lambda v: (
                v.weights(WWW) == self._by_address(web1=100, web2=100, web3=50, sorry=0)
                and v.weights(API) == self._by_address(api1=100, web1=20)
                and v.weights(WWW6) == self._by_address(web6=100)
            ),
        )
        await self._see(
            f"the {BUCKETS} buckets of each VIP are shared out by weight",
            lambda v: all(sum(v.buckets(vip).values()) == BUCKETS for vip in (WWW, API, WWW6)),
        )
        await self._see_traffic(
            "flows arrive at every VIP", vips=(WWW, API, WWW6), grow=("web1", "web2", "api1", "web6")
        )

    async def _one_backend_dies(self) -> None:
        self._tell("web2 is killed")
        await self._backends.kill("web2")
        await self._see("probes of web2 fail", lambda v: _counter_is_falling(v, "web2"))
        await self._see("web2 is down", lambda v: v.state("web2") == "down")
        web2 = self._address("web2")
        await self._see(
            "its weight in VPP is 0 and it owns no bucket",
            lambda v: v.weights(WWW).get(web2) == 0 and v.buckets(WWW).get(web2) == 0,
        )
        await self._see_traffic("its flows move to web1 and web3", vips=(WWW,), grow=("web1", "web3"), stand=("web2",))

    async def _and_comes_back(self) -> None:
        self._tell("web2 is revived")
        await self._backends.revive("web2")
        await self._see("web2 is up", lambda v: v.state("web2") == "up")
        web2 = self._address("web2")
        await self._see(
            "it has its weight in VPP again",
            lambda v: v.weights(WWW).get(web2) == 100 and v.buckets(WWW).get(web2, 0) > 0,
        )
        await self._see_traffic("new flows reach it", vips=(WWW,), grow=("web2",))

    async def _a_pool_is_lost(self) -> None:
        self._tell("the whole primary pool of www is killed: web1, web2, web3")
        for name in ("web1", "web2", "web3"):
            await self._backends.kill(name)
        await self._see("the active pool of www is fallback", lambda v: _active_pool(v, "www") == "fallback")
        await self._see(
            "VPP sends www to the fallback pool alone",
            lambda v: (
                v.weights(WWW) == self._by_address(web1=0, web2=0, web3=0, sorry=100)
                and v.buckets(WWW).get(self._address("sorry")) == BUCKETS
            ),
        )
        await self._see(
            "api, which shared web1, lives on with api1",
            lambda v: v.weights(API) == self._by_address(api1=100, web1=0),
        )
        await self._see_traffic(
            "the fallback pool carries the traffic", vips=(WWW,), grow=("sorry",), stand=("web1", "web2", "web3")
        )

    async def _and_the_pool_comes_back(self) -> None:
        self._tell("the primary pool is revived")
        for name in ("web1", "web2", "web3"):
            await self._backends.revive(name)
        await self._see("the active pool of www is primary", lambda v: _active_pool(v, "www") == "primary")
        await self._see(
            "VPP has the weights it began with",
            lambda v: (
                v.weights(WWW) == self._by_address(web1=100, web2=100, web3=50, sorry=0)
                and v.weights(API) == self._by_address(api1=100, web1=20)
            ),
        )
        await self._see_traffic(
            "new flows go to the primary pool, old ones end at the fallback", vips=(WWW,), grow=("web1", "web2", "web3")
        )

    async def _see(self, sentence: str, is_so: Callable[[View], bool]) -> None:
        await self._check(sentence, lambda: self._views.until(is_so))

    async def _see_traffic(
        self, sentence: str, *, vips: Sequence[VipName], grow: Sequence[str], stand: Sequence[str] = ()
    ) -> None:
        """Between two samples the VIPs and the backends of `grow` gain packets, those of `stand` gain none."""
        if not self._has_traffic:
            self._tell(f"  - {sentence}: not checked, as nothing here makes traffic")
            return

        async def watch() -> None:
            while True:
                first = await self._views.next_sample()
                second = await self._views.next_sample()
                gains = {name: _gain(first, second, self._address(name)) for name in (*grow, *stand)}
                vip_gains = [(second.vip_packets(vip) or 0) - (first.vip_packets(vip) or 0) for vip in vips]
                grown = all(gains[name] > 0 for name in grow) and all(gain > 0 for gain in vip_gains)
                if grown and all(gains[name] == 0 for name in stand):
                    return

        await self._check(sentence, watch)

    async def _check(self, sentence: str, come_true: Callable[[], Awaitable[object]]) -> None:
        with trio.move_on_after(STEP_DEADLINE_S) as scope:
            await come_true()
        if scope.cancelled_caught:
            self._tell(f"  NOT SEEN within {STEP_DEADLINE_S:g} s: {sentence}")
            raise NotSeen(sentence)
        self._tell(f"  ok {trio.current_time() - self._began:5.1f} s  {sentence}")

    def _address(self, name: str) -> str:
        return self._backends.by_name[name].address

    def _by_address(self, **weights: int) -> dict[str, int]:
        return {self._address(name): weight for name, weight in weights.items()}


def _gain(first: View, second: View, address: str) -> int:
    before, after = first.forwarded(address), second.forwarded(address)
    return after - before if before is not None and after is not None else 0


def _active_pool(view: View, frontend: str) -> str:
    return next((f.active_pool for f in view.frontends if f.name == frontend), "")


def _counter_is_falling(view: View, backend: str) -> bool:
    seen = view.backends.get(backend)
    return seen is not None and seen.counter < seen.counter_max
