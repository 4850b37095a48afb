"""Sharing out time among concurrent requests. Pure arithmetic on given times; no clock, no lock.

While n requests are active at once, each of them gets 1/n of every second (egalitarian processor sharing, L.
Kleinrock: Time-shared Systems: A Theoretical Treatment, J. ACM 14(2), 1967). Its exclusive time is the integral of
dt/n over its life. The exclusive times of all requests add up to the time in which any was active, so energy that
is shared out by them is counted once, however many requests overlap.
"""

from __future__ import annotations


class ShareClock:
    """Runs at the speed 1/n: what it shows at a request's end minus at its begin is the request's exclusive time.

    Each request costs two additions, whatever the number of those active.

    Attributes:
        active: Requests that are active now.
        busy_ns: Time with at least one active request so far.
        active_ns: Integral of the number of active requests so far: request-nanoseconds.
        changed_ns: When it last began, ended or was advanced.
    """

    __slots__ = ("_shown_ns", "active", "active_ns", "busy_ns", "changed_ns")

    def __init__(self, t_ns: int) -> None:
        self.active = 0
        self.busy_ns = 0
        self.active_ns = 0
        self.changed_ns = t_ns
        self._shown_ns = 0.0

    def advance(self, t_ns: int) -> None:
        """Bring the sums up to a time, which is not before the last one."""
        if self.active:
            passed_ns = t_ns - self.changed_ns
            self.busy_ns += passed_ns
            self.active_ns += passed_ns * self.active
            self._shown_ns += passed_ns / self.active
        self.changed_ns = t_ns

    def begin(self, t_ns: int, requests: int = 1) -> float:
        """Begin one request, or some that are executed together; return what ``end`` needs to know."""
        self.advance(t_ns)
        self.active += requests
        return self._shown_ns

    def end(self, t_ns: int, begun: float, requests: int = 1) -> float:
        """End what ``begin`` began; return the exclusive nanoseconds of each of these requests."""
        self.advance(t_ns)
        self.active -= requests
        exclusive_ns = self._shown_ns - begun
        if not self.active:
            self._shown_ns = 0.0  # nobody refers to it any more: it stays small, and so exact
        return exclusive_ns
