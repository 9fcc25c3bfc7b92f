"""Whether a number that a living VPP raises, at an interval of its own, still rises; must not know how it is read.

It is looked at now and then, and time is counted in looks: a pause of the whole machine is none of VPP's. The interval
is what VPP's operator set (`update-interval`), so it is learned: no verdict before two beats were seen to begin, and
then a heart has stopped once it stood for four times its longest interval, and for STILL looks at least.
"""

from dataclasses import dataclass

STILL = 6
INTERVALS = 4


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The beat seen last and in how many looks; in how many the longest one was whose begin and end were seen."""

    beat: int
    looks: int = 0
    longest: int = 0
    is_whole: bool = False
    """Whether the present beat was seen to begin."""

    def seen(self, beat: int) -> "Heartbeat":
        """After one more look."""
        looks = self.looks + 1
        if beat == self.beat:
            return Heartbeat(beat, looks, self.longest, self.is_whole)
        longest = max(self.longest, looks) if self.is_whole else self.longest
        return Heartbeat(beat, 0, longest, is_whole=True)

    @property
    def has_stopped(self) -> bool:
        """Whether it has stood for longer than a living VPP's would."""
        return self.longest > 0 and self.looks >= max(STILL, INTERVALS * self.longest)
