"""A deadline for a call that can hang anywhere, even in a name server that never answers."""

import threading
from collections.abc import Callable


def call_with_timeout(deadline_s: float, call: Callable[[], object]) -> None:
    """Run `call` in a daemon thread and wait at most `deadline_s` for it.

    A call that is too slow keeps running, but does not keep the process from exiting.

    Raises:
        TimeoutError: The call did not end in time.
        Exception: Whatever the call raised.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - raised again below, in the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, name="customer_assets.monitoring", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {deadline_s:g} s")
    if raised:
        raise raised[0]
