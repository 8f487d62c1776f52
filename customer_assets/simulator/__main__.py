"""`python -m customer_assets.simulator`: the simulator as a program of its own."""

import argparse
import os
import socket
import sys

from customer_assets.errors import ConfigurationError
from customer_assets.simulator.application import CustomerAPI
from customer_assets.simulator.server import BACKLOG, LOOPBACK
from customer_assets.simulator.settings import SimulatorSettings

LARGEST_PORT = 65_535


def main(arguments: list[str] | None = None) -> None:
    """Serve until interrupted; says so once requests are taken."""
    import uvicorn  # noqa: PLC0415 - `--help` and a wrong setting need no server

    options = parser().parse_args(arguments)
    try:
        settings = SimulatorSettings(**{name: value for name, value in vars(options).items() if name != "port"})
        build_notifier = socket.create_server((LOOPBACK, options.port), backlog=BACKLOG)
    except ConfigurationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"--port {options.port} cannot be had: {os.strerror(error.errno or 0)}. Name another.")
    server = uvicorn.Server(
        uvicorn.Config(CustomerAPI(settings), lifespan="off", log_level="warning", access_log=False)
    )
    with build_notifier:
        port = build_notifier.getsockname()[1]
        sys.stdout.write(f"Serving http://{LOOPBACK}:{port}/api/users ({settings})\n")
        sys.stdout.flush()
        server.run(sockets=[build_notifier])


def port_number(text: str) -> int:
    """Read a port's number; 0 takes a free one."""
    if not 0 <= int(text) <= LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..{LARGEST_PORT}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command = argparse.ArgumentParser(prog="python -m customer_assets.simulator", description=__doc__)
    default = SimulatorSettings()
    command.add_argument("--port", type=port_number, default=8080, help="where to listen on loopback; 0: a free one")
    command.add_argument("--customers", type=int, default=default.customers, help="records it has")
    command.add_argument("--page-size", type=int, default=default.page_size, help="records a page")
    command.add_argument("--failure-rate", type=float, default=default.failure_rate, help="share of 500 and 503")
    command.add_argument("--rate-limit", type=float, default=default.rate_limit, help="requests a second before 429")
    command.add_argument("--burst", type=int, default=default.burst, help="requests taken at once before the limit")
    command.add_argument("--latency-ms", type=float, default=default.latency_ms, help="how long an answer takes")
    command.add_argument("--dirty-rate", type=float, default=default.dirty_rate, help="share of defective records")
    command.add_argument("--seed", type=int, default=default.seed, help="chooses faults and customers")
    return command


if __name__ == "__main__":
    main()
