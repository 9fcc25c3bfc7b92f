import asyncio

from hypothesis import given
from hypothesis import strategies as st

from maglev.core.health import State
from maglev.rpc._pb import maglev_pb2 as pb
from tests.rpc.world import BACKENDS, EVERYTHING, NAMES, STATES, Watcher, World, folded, quiet

WHATS = ("move", "log", "join", "leave", "mark", "run", "read")
steps = st.lists(st.tuples(st.sampled_from(WHATS), st.sampled_from(NAMES), st.sampled_from(STATES)), max_size=80)


@given(steps)
def test_every_watcher_knows_all_states_in_the_end_whenever_it_came_and_however_slowly_it_read(
    script: list[tuple[str, str, State]],
) -> None:
    async def main() -> None:
        world, watchers = World(kept=4), list[Watcher]()
        for what, name, state in script:
            await _play(world, watchers, what, name, state)
        for watcher in watchers:
            watcher.permit(10_000)
        for _ in range(3):  # one who fell behind asks for another mark
            await quiet()
            world.mark()
        await quiet()
        for watcher in watchers:
            states, _ = folded(watcher.read)
            assert states == {name: state.word for name, state in world.states.items()}
            happened = [number for event in watcher.read if (number := event.log.at_ns or _moved_at(event))]
            assert happened == sorted(set(happened)), "in another order than it happened, or twice"
            await watcher.end()
        assert world.hub.watchers == 0

    asyncio.run(main())


def _moved_at(event: pb.Event) -> int:
    return event.backend.at_ns if getattr(event.backend, "from") != event.backend.to else 0


async def _play(world: World, watchers: list[Watcher], what: str, name: str, state: State) -> None:
    match what:
        case "move":
            world.move(name, state)
        case "log":
            world.log()
        case "join" if len(watchers) < 3:
            watchers.append(Watcher(world, EVERYTHING if state is State.UP else BACKENDS, permits=0))
        case "leave" if watchers:
            await watchers.pop(0).end()
        case "mark":
            world.mark()
        case "run":
            await quiet()
        case "read":
            for watcher in watchers:
                watcher.permit(2)
