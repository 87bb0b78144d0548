"""The cloud's own time: the machine's monotonic clock, plus the time by which tests have moved it forward."""
import time


class Clock:
    def __init__(self):
        self._moved = 0.0

    def now(self):
        return time.monotonic() + self._moved

    def advance(self, seconds):
        """Moves the clock forward; time never runs backwards."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._moved += seconds
