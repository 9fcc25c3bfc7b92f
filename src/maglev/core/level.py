"""Who should care for an event: debug is each probe and message, info a change, warning what a human must look at.

An error is a fault of ours: no event has that level, only lines of the log.
"""

import enum


class Level(enum.Enum):
    """Log levels that events carry; the values are those of the logging module."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
