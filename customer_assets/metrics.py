"""The names of what is counted: one enumeration each, so that logs, metadata and monitoring agree."""

from enum import StrEnum


class Cause(StrEnum):
    """Why a request did not bring its page."""

    SERVER_ERROR = "server_error"
    """5xx or 408."""
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, reset or closed before the answer was whole."""
    BAD_BODY = "bad_body"
    """Not JSON, not the envelope, not the page asked for, or larger than allowed."""
    THROTTLED = "throttled"
    """429."""
    REFUSED = "refused"
    """Any other 4xx, or a redirect that may not be followed."""
    SHORT_PAGE = "short_page"
    """Fewer records than the page's own `per_page` promises, before the last page."""
