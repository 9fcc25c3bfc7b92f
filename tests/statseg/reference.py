"""The rules of a stats segment once more, slow and obvious, over bytes: what the compiled reader has to answer."""

from collections.abc import Callable

from maglev._statseg import COMBINED, GAUGE, SCALAR, SIMPLE, Corrupt, Raced

MASK = 2**64 - 1
MAX_THREADS = 4096
EMPTY, SYMLINK = 5, 6


class Reference:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        if len(raw) < 40 or self.u64(0) != 2:
            raise Corrupt

    def u64(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 8], "little")

    def u32(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 4], "little")

    def vector(self, address: int, width: int) -> range:
        """The offsets of its elements."""
        start = address - self.u64(8)
        if not 48 <= start <= len(self.raw) or start % 8:
            raise Corrupt
        end = start + self.u32(start - 8) * width
        if end > len(self.raw):
            raise Corrupt
        return range(start, end, width)

    def entries(self) -> list[tuple[bytes, int, int]]:
        """Name field, type and value of each entry that is in use."""
        if self.u64(24):
            raise Raced
        found = [
            (self.raw[at + 16 : at + 144], self.u32(at), self.u64(at + 8)) for at in self.vector(self.u64(32), 144)
        ]
        return [entry for entry in found if entry[1] not in (0, 5)]

    def names(self) -> dict[str, int]:
        if any(b"\0" not in name for name, _, _ in self.entries()):
            raise Corrupt
        return {name.split(b"\0")[0].decode("utf-8", "surrogateescape"): kind for name, kind, _ in self.entries()}

    def find(self, name: str) -> tuple[int, int] | None:
        bare = name.removeprefix("/")
        here = {raw.split(b"\0")[0]: (kind, value) for raw, kind, value in reversed(self.entries()) if b"\0" in raw}
        other = bare if name != bare else f"/{name}"
        return here.get(name.encode(), here.get(other.encode()))

    def scalar(self, name: str) -> int:
        entry = self.find(name)
        if entry is None:
            raise KeyError
        if entry[0] not in (SCALAR, GAUGE):
            raise ValueError
        return entry[1]

    def counter(self, name: str, has_room: Callable[[int], bool]) -> tuple[int, list[list[tuple[int, ...]]]]:
        """Numbers per element (0: not there), for which there must be room, and the elements of each thread."""
        entry = self.find(name)
        if entry is None:
            return 0, []
        kind, value = entry
        column = None
        if kind == SYMLINK:
            target, column = value & 0xFFFFFFFF, value >> 32
            directory = self.vector(self.u64(32), 144)
            if target >= len(directory):
                raise Corrupt
            kind, value = self.u32(directory[target]), self.u64(directory[target] + 8)
            if kind == EMPTY:
                return self._nothing(has_room)
        if kind not in (SIMPLE, COMBINED):
            raise ValueError
        words = 1 + (kind == COMBINED)
        threads = self.vector(value, 8) if value else range(0)
        if len(threads) > MAX_THREADS:
            raise Corrupt
        if not has_room(words):
            raise ValueError
        vectors = [self.vector(self.u64(t), 8 * words) if self.u64(t) else range(0) for t in threads]
        if column is not None:
            vectors = [vector[column : column + 1] for vector in vectors]
        return words, [[tuple(self.u64(at + 8 * w) for w in range(words)) for at in vector] for vector in vectors]

    @staticmethod
    def _nothing(has_room: Callable[[int], bool]) -> tuple[int, list[list[tuple[int, ...]]]]:
        """A symlink to a removed entry: nobody knows any more how wide its elements were."""
        if not has_room(1):
            raise ValueError
        return 1, []

    def sums(self, name: str, indexes: list[int], words: int) -> list[int]:
        """`words` says how many numbers per index the caller has room for."""
        _, threads = self.counter(name, lambda own: own == words)
        zero = (0,) * words
        rows = [[thread[i] if i < len(thread) else zero for i in indexes] for thread in threads]
        return [sum(row[i][w] for row in rows) & MASK for i in range(len(indexes)) for w in range(words)]

    def whole(self, name: str, room: int) -> list[int]:
        words = self.counter(name, lambda own: room % own == 0)[0] or 1
        return self.sums(name, list(range(room // words)), words)

    def length(self, name: str) -> int:
        return max(map(len, self.counter(name, lambda _: True)[1]), default=0)
