"""Syncs whose disk or store fails at any operation: the error says what is in place, and the next run is right."""

import os

import pytest

from customer_assets.core.errors import CustomerAssetsError, PublishError
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.interrupted_sync import NEW, NEW_IDS, OLD, OLD_IDS, Site
from customer_assets_tests.harness.storage.plain_sync import exported_ids

pytestmark = pytest.mark.timeout(file_operations.LONGEST_S)


@pytest.mark.parametrize("lake", ["site", "store_site"])
def test_a_sync_that_fails_at_any_operation_says_what_is_in_place(request: pytest.FixtureRequest, lake: str) -> None:
    """With EIO, ENOSPC or EROFS: the message names a path, and is right about the export."""
    site: Site = request.getfixturevalue(lake)
    operations = file_operations.trace(site.root, lambda: site.run(OLD))
    assert len(operations) > 150
    for turn, number in enumerate(file_operations.first_of_each_kind(operations)):
        code = file_operations.ERRORS[turn % len(file_operations.ERRORS)]
        error: Exception | None = None
        try:
            with file_operations.watched(site.root, file_operations.fail_at(number, code)):
                site.run(NEW)
        except (CustomerAssetsError, OSError) as raised:
            error = raised
        context = (operations[number], str(error))
        if error is not None:
            assert os.strerror(code) in str(error), context
            assert str(site.root) in str(error) or "memory:" in str(error), context
        if isinstance(error, PublishError) and error.path == str(site.directory.export_file):
            assert exported_ids(site.directory) == (NEW_IDS if error.in_place else OLD_IDS), context
        site.check_readers()
        site.end_process()  # what could not be removed goes once its process is gone
        site.check_next_run()
