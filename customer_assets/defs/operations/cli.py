"""`customer-assets`: the commands that people type. Each loads what it needs when it runs.

Add a command here if it has no place in Dagster. What it does belongs in the rooms below.
"""

import argparse
import sys
from collections.abc import Sequence

from customer_assets.core.errors import CustomerAssetsError


def sync(arguments: Sequence[str]) -> None:
    """Sync all customers, and print what happened."""
    from customer_assets.defs.operations.console import run_job  # noqa: PLC0415 - only this command needs it

    parser = argparse.ArgumentParser(prog="customer-assets sync", description=str(sync.__doc__))
    parser.add_argument("--module", default="customer_assets.definitions", help="where `defs` is; default: %(default)s")
    parser.add_argument("--job", default="customer_sync_job", help="the job; default: %(default)s")
    options = parser.parse_args(arguments)
    sys.exit(0 if run_job(options.module, options.job) else 1)


def probe(arguments: Sequence[str]) -> None:
    """Request one or two pages of an API, and describe it."""
    from customer_assets.api.__main__ import main as describe  # noqa: PLC0415 - only this command needs it

    sys.exit(describe(["probe", *arguments], program="customer-assets"))


def simulate(arguments: Sequence[str]) -> None:
    """Serve a simulated customer API on this machine."""
    from customer_assets.simulator.__main__ import main as serve  # noqa: PLC0415 - only this command needs it

    serve(list(arguments), program="customer-assets simulate")


def erase(arguments: Sequence[str]) -> None:
    """Erase everything that is kept of one customer."""
    from customer_assets.defs.operations.erasure import open_eraser  # noqa: PLC0415 - as above

    parser = argparse.ArgumentParser(prog="customer-assets erase", description=str(erase.__doc__))
    parser.add_argument("id", help="the customer's id, as the API or the export has it")
    parser.add_argument("--module", default="customer_assets.definitions", help="where `defs` is; default: %(default)s")
    parser.add_argument("--sync", default="", help="which sync, if there are several: what its resources begin with")
    options = parser.parse_args(arguments)
    for place, count in open_eraser(options.module, options.sync).erase(options.id).items():
        sys.stdout.write(f"{count:>6,}  {place}\n")


COMMANDS = {"sync": sync, "probe": probe, "simulate": simulate, "erase": erase}


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
