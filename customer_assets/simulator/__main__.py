"""`python -m customer_assets.simulator`: serve a simulated customer API on loopback."""

import argparse
import os
import socket
import sys

from customer_assets.core.configuration import configuration_errors, rename_fields
from customer_assets.core.errors import ConfigurationError
from customer_assets.simulator.application import CustomerAPI
from customer_assets.simulator.server import BACKLOG, LOOPBACK
from customer_assets.simulator.settings import SimulatorSettings

LARGEST_PORT = 65_535


PROGRAM = "python -m customer_assets.simulator"


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> None:
    """Print the URL, then serve until interrupted. `program` is the command that the help shows."""
    import uvicorn  # noqa: PLC0415 - `--help` and a bad setting need no server

    options = build_parser(program).parse_args(arguments)
    try:
        with rename_fields(_option), configuration_errors(SimulatorSettings):
            settings = SimulatorSettings(**{name: value for name, value in vars(options).items() if name != "port"})
        listener = socket.create_server((LOOPBACK, options.port), backlog=BACKLOG)
    except ConfigurationError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"--port {options.port} is not available: {os.strerror(error.errno or 0)}. Choose another port.")
    server = uvicorn.Server(
        uvicorn.Config(CustomerAPI(settings), lifespan="off", log_level="warning", access_log=False)
    )
    with listener:
        port = listener.getsockname()[1]
        sys.stdout.write(f"Serving http://{LOOPBACK}:{port}/api/users ({settings})\n")
        sys.stdout.flush()
        server.run(sockets=[listener])


def parse_port(text: str) -> int:
    """Parse a port number; 0 picks a free port."""
    if not 0 <= int(text) <= LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is outside 0..{LARGEST_PORT}")
    return int(text)


def build_parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    command = argparse.ArgumentParser(prog=program, description="Serve a simulated customer API on loopback.")
    command.add_argument("--port", type=parse_port, default=8080, help="The port to listen on; 0: any free one.")
    for name, field in SimulatorSettings.model_fields.items():
        help_text = f"{field.description} Default: {field.default}."
        command.add_argument(_option(name), type=type(field.default), default=field.default, help=help_text)
    return command


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


if __name__ == "__main__":
    main()
