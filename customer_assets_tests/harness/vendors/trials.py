"""Random crawls of imitated APIs, in virtual time: any size, count, faults, limits, and customers who come and go.

`python -m customer_assets_tests.harness.vendors.trials --rounds 100` crawls each API a hundred times, and prints those
that went wrong. A trial replays exactly: `--rounds 1 --first 42 --only stripe`.
"""

import argparse
import logging
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from customer_assets.apis import load_preset, preset_names
from customer_assets_tests.harness.vendors import VENDORS, Population, VendorAPI
from customer_assets_tests.harness.vendors.base import Faults
from customer_assets_tests.harness.vendors.virtual import ids_of, open_vendor_client

STRICT = {"auth0", "brevo", "chargebee", "commercetools", "hubspot", "klaviyo", "shopify_graphql", "square", "stripe"}
"""They refuse a page size beyond their largest one. All others clamp it, or have none."""

MOST_CUSTOMERS = {"auth0": 900}
"""What an API lists at most; it refuses what lies beyond."""


@dataclass(frozen=True)
class Trial:
    """One crawl.

    Attributes:
        name: The preset.
        customers: How many there are at first.
        page_size: What is asked for; None: the preset's own.
        fault_share: Of the requests.
        limit: The API's rate and burst; None: it has none.
        joins_at: Before this request one joins; None: nobody does.
        leaves_at: Before this request one leaves.
        seed: Chooses faults and latencies.
    """

    name: str
    customers: int
    page_size: int | None
    fault_share: float
    limit: tuple[float, int] | None
    joins_at: int | None
    leaves_at: int | None
    seed: int

    @classmethod
    def random(cls, name: str, seed: int) -> "Trial":
        """Make up a trial."""
        dice, cap = random.Random(f"{name} {seed}"), VENDORS[name].cap
        pages = load_preset(name).api["pages"]
        size = dice.choice((1, 7, 20, 50, cap, cap if name in STRICT else 5 * cap))
        page_size = size if pages.get("size_parameter") or pages.get("format") else None
        received = min(page_size or pages.get("size") or 50, cap)
        counts = (0, 1, 2, received - 1, received, received + 1, 2 * received, 3 * received, 523, dice.randint(0, 600))
        moves = dice.random() < 0.4
        return cls(
            name,
            min(dice.choice(counts), 60 if page_size == 1 else MOST_CUSTOMERS.get(name, 1_500)),
            page_size,
            dice.choice((0.0, 0.2, 0.3)),
            dice.choice((None, (10.0, 5), (2.0, 40), (50.0, 1))),
            dice.randint(0, 40) if moves else None,
            dice.randint(0, 40) if moves else None,
            seed,
        )

    def run(self, tmp: Path) -> str | None:
        """Crawl; return what went wrong, or None."""
        population = Population(self.customers, joins_at=self.joins_at, leaves_at=self.leaves_at)
        api = VENDORS[self.name](population, faults=Faults(self.fault_share, self.seed))
        options = {} if self.page_size is None else {"page_size": self.page_size}
        with open_vendor_client(self.name, api, tmp=tmp, seed=self.seed, limit=self.limit, **options) as (client, _):
            ids = ids_of(client.fetch_all_customers(), client.options.record)
            if client.figures.missing_customers or client.figures.rejected:
                return f"{client.figures.missing_customers} missing, {client.figures.rejected} rejected"
            is_settled = not getattr(client.figures, "moved_s", 0.0) and client.figures.passes < 3
        return self._problem(ids, api, is_settled=is_settled)

    def _problem(self, ids: Sequence[object], api: VendorAPI, *, is_settled: bool) -> str | None:
        if len(ids) != len(set(ids)):
            return "customers came twice"
        lost = {api.key(customer) for customer in api.population.stayed} - set(ids)
        if lost and is_settled:
            return f"{len(lost)} lost"
        if self.joins_at is None and len(ids) != self.customers:
            return f"{len(ids)} of {self.customers}"
        return None


def main(arguments: list[str] | None = None) -> int:
    """Run random trials; return how many went wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="trials of each API")
    parser.add_argument("--first", type=int, default=0, help="the first trial's seed")
    parser.add_argument("--only", nargs="*", default=preset_names(), help="presets")
    given = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    wrong = trials = 0
    with tempfile.TemporaryDirectory() as tmp:
        for seed in range(given.first, given.first + given.rounds):
            for name in given.only:
                trial = Trial.random(name, seed)
                problem, trials = trial.run(Path(tmp)), trials + 1
                if problem is not None:
                    wrong += 1
                    print(f"{problem}: {trial}")  # noqa: T201
    print(f"{trials} trials, {wrong} went wrong")  # noqa: T201
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
