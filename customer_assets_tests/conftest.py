"""What all tests stand on: signals that end programs as they usually do."""

import signal

# A shell that starts a command in the background has it ignore Ctrl-C, and all that it starts: Dagster's services,
# which treat SIGTERM as they treat SIGINT, would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
