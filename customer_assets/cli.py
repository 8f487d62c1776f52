"""`customer-assets`: the commands that people type. Each loads what it needs when it runs.

Add a command here if it has no place in Dagster. What it does belongs in the rooms below.
"""

import argparse
import sys
from collections.abc import Sequence

from customer_assets.core.errors import CustomerAssetsError


def sync(_: Sequence[str]) -> None:
    """Sync all customers, and print what happened."""
    from customer_assets.defs.operations.console import run_sync  # noqa: PLC0415 - only a sync needs Dagster

    sys.exit(0 if run_sync() else 1)


def simulate(arguments: Sequence[str]) -> None:
    """Serve a simulated customer API on this machine."""
    from customer_assets.simulator.__main__ import main as serve  # noqa: PLC0415 - only this command needs it

    serve(list(arguments))


COMMANDS = {"sync": sync, "simulate": simulate}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; end with 1 and one line if it cannot be run."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="customer-assets",
        description="Sync customers from a REST API into clean, scored data.",
        epilog="Settings are environment variables; README.md lists them.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=str(command.__doc__), add_help=False)
    known, rest = parser.parse_known_args(given)
    try:
        COMMANDS[known.command](rest)
    except CustomerAssetsError as error:
        sys.exit(f"customer-assets {known.command}: {error}")
