"""The decisions, pure: no I/O, clock, randomness or logging. Time and chance are passed in."""
