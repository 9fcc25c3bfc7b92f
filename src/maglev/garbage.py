"""Keeps Python's garbage collection from holding the loop; must not know what is collected.

A collection looks at every object that came since the one before, and at all that those hold: with 10,000 VIPs the
tables that each sample and each write make take 10 to 30 ms to look at, one after the other, again and again. They are
frozen values, without cycles, and end by themselves. So whoever has made much of that says so (`settled`), and what
there is by then is looked at only by the full collection, once in a long while. What it costs: a cycle that was there
at such a moment waits for that one, too, some kilobytes for each connection that ended.
"""

import gc

import trio

FULL_EVERY_S = 3600.0  # each may hold the loop for 0.3 s and more


def spare() -> None:
    """What there is by now is no garbage, and what comes is small: one of 8,000 objects takes some 5 ms."""
    gc.freeze()
    gc.set_threshold(1_000, 8, 1_000_000_000)


def settled() -> None:
    """What there is by now is no garbage."""
    gc.freeze()


async def collect_rarely() -> None:
    """Look at everything once an hour, until cancelled."""
    while True:
        await trio.sleep(FULL_EVERY_S)
        gc.unfreeze()
        gc.collect()
        gc.freeze()
