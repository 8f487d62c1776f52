"""How a call that may hang is given a time to end in, whatever it hangs on: a name server that is silent, too."""

import threading
from collections.abc import Callable


def call_with_timeout(deadline_s: float, call: Callable[[], object]) -> None:
    """Make the call, and wait no longer than `deadline_s` for it; one that is late goes on by itself, unheeded.

    Its thread holds nobody up: the process may end meanwhile.

    Raises:
        TimeoutError: It was late.
        Exception: What the call raised.
    """
    raised: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            raised.append(error)

    thread = threading.Thread(target=run, name="customer_assets.monitoring", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {deadline_s:g} s")
    if raised:
        raise raised[0]
