"""Schedules later work: one clock thread passes due work to a few workers."""
import concurrent.futures
import heapq
import itertools
import sys
import threading
import traceback


class Timeline:
    def __init__(self, clock, workers=16):
        self._clock = clock
        self._queue = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="later")
        self._stopped = False
        threading.Thread(target=self._run, name="timeline", daemon=True).start()

    def after(self, seconds, work, *arguments, hold=None):
        """Calls `work` after this many seconds, or at once in a worker for None. With a rule that holds it, the
        seconds begin when the rule is deleted."""
        if hold is not None:
            hold.when_deleted(self.after, seconds, work, *arguments)
            return
        with self._changed:
            heapq.heappush(self._queue, (self._clock.now() + max(0.0, seconds), next(self._order), work, arguments))
            self._changed.notify()

    def advance(self, seconds):
        """Moves the clock forward: work that is due by then runs now."""
        with self._changed:
            self._clock.advance(seconds)
            self._changed.notify()

    def stop(self):
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self):
        while True:
            with self._changed:
                while not self._stopped and (not self._queue or self._queue[0][0] > self._clock.now()):
                    self._changed.wait(self._queue[0][0] - self._clock.now() if self._queue else None)
                if self._stopped:
                    return
                _, _, work, arguments = heapq.heappop(self._queue)
                self._pool.submit(self._call, work, arguments)

    @staticmethod
    def _call(work, arguments):
        try:
            work(*arguments)
        except Exception:  # a defect of the cloud must be visible, but must not stop it
            traceback.print_exc(file=sys.stderr)
