"""Syncs that are held up at any operation while another runs: what is published is always one run's."""

import pytest

from customer_assets.core.errors import QualityGateError, SupersededError
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.interrupted_sync import NEW, OLD, OLD_IDS, Site
from customer_assets_tests.harness.storage.plain_sync import exported_ids

pytestmark = pytest.mark.timeout(file_operations.LONGEST_S)


@pytest.mark.parametrize("lake", ["site", "store_site"])
def test_a_sync_that_is_held_up_at_any_operation_mixes_with_no_other(request: pytest.FixtureRequest, lake: str) -> None:
    """While it waits, another whole sync runs, of another state of the source: newer, as it began later."""
    site: Site = request.getfixturevalue(lake)
    operations = file_operations.trace(site.root, lambda: site.run(NEW))
    site.check_next_run()
    points = file_operations.shared(operations)
    assert len(points) * file_operations.ONE_IN > 80
    for number in points:
        errors = file_operations.pause_at(site.root, number, lambda: site.run(NEW), lambda: site.run(OLD))
        context = (operations[number], errors)
        assert all(isinstance(error, SupersededError | QualityGateError) for error in errors), context
        site.check_readers()
        if errors:
            assert exported_ids(site.directory) == OLD_IDS, context
            assert "newer crawl" in str(errors[0]) or "earlier crawl" in str(errors[0]), context
        site.check_next_run()
