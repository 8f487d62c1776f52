"""When the next request may be sent: the given rate or the learned one, and the one gate of `Retry-After`. No clock."""

from customer_assets.api.actions import Outcome


class Pacer:
    """Says when the next request may go; told of every request and every answer.

    Args:
        requests_per_second: The rate to keep; None learns it.
        max_concurrency: How many requests the crawl may have in flight.
    """

    def __init__(self, requests_per_second: float | None = None, *, max_concurrency: int = 8) -> None:
        self._given = requests_per_second
        self._max_concurrency = max_concurrency
        self._gate_s = 0.0

    @property
    def requests_per_second(self) -> float | None:
        """The present pace; None while nothing limits it."""
        return self._given

    @property
    def gate_s(self) -> float:
        """The instant before which nothing may be sent: the latest `Retry-After` so far."""
        return self._gate_s

    def next_send_s(self, now_s: float) -> float:
        """The earliest instant at which a request may go: `now_s` or later."""
        return max(now_s, self._gate_s)

    def expects(self, pages_left: int) -> None:
        """Tell how many pages are still to be read."""

    def sent(self, now_s: float) -> None:
        """Tell that a request has gone."""

    def answered(self, outcome: Outcome, now_s: float) -> None:
        """Tell what came back of a request, or that nothing did."""

    def shut_until(self, instant_s: float) -> None:
        """Shut the gate for every request until the instant; never opens it earlier than it was."""
        self._gate_s = max(self._gate_s, instant_s)
