"""Keeps urllib3 from quoting responses and addresses in the log, where customers and secrets must not appear.

urllib3 logs a malformed head in full, with its request's address, and every address at the level DEBUG. Only our own
requests are affected; other programs in the process log as they did.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.response", "urllib3.util.retry")
"""Those of urllib3 that can quote; a logger's filter does not apply to the loggers below it."""

_is_ours: ContextVar[bool] = ContextVar("is_ours", default=False)


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Let urllib3 log only that something is wrong with a response, not what it says."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


def _withhold(record: logging.LogRecord) -> bool:
    if not _is_ours.get():
        return True
    if record.levelno < logging.WARNING:  # the request's address
        return False
    begins = str(record.msg).partition("(")[0].partition("%")[0].strip()  # `Failed to parse headers (url=%s): %s`
    record.msg, record.args = f"{begins}; what it is about is withheld, since it can hold personal data.", ()
    record.exc_info = record.exc_text = record.stack_info = None
    return True


for _name in LOGGERS:
    logging.getLogger(_name).addFilter(_withhold)
