"""The cloud's own time: the machine's monotonic clock, and what a test moved it on by hand."""
import time


class Clock:
    def __init__(self):
        self._moved = 0.0

    def now(self):
        return time.monotonic() + self._moved

    def advance(self, seconds):
        """Time never runs backwards."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._moved += seconds
