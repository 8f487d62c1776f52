"""The report's files: published whole, read back, private."""

from pathlib import Path

import pytest

from customer_assets.core.errors import PublishError
from customer_assets.report.document import SCHEMA_FILE
from customer_assets.report.files import SCHEMA, last_report, publish_report
from customer_assets_tests.harness.reports.report_documents import report_of, sums


def test_a_report_is_published_whole(tmp_path: Path) -> None:
    """HTML, Markdown, JSON and its schema, for their owner only; nothing else is left behind."""
    base = tmp_path / "export" / "summary_report"
    made = report_of(sums())
    for _ in range(2):
        publish_report(made, base)
    names = {path.name for path in base.parent.iterdir()}
    assert names == {"summary_report.json", "summary_report.md", "summary_report.html", SCHEMA_FILE}
    assert {path.stat().st_mode & 0o777 for path in base.parent.iterdir()} == {0o600}
    assert last_report(base) == made
    assert base.with_name(SCHEMA_FILE).read_bytes() == SCHEMA.read_bytes()


def test_the_page_links_what_belongs_to_it(tmp_path: Path) -> None:
    """The other formats, and whatever the caller adds."""
    publish_report(report_of(sums()), tmp_path / "summary_report", {"the export": "customers.json"})
    page = (tmp_path / "summary_report.html").read_text(encoding="utf-8")
    for target in ("summary_report.json", "summary_report.md", "customers.json"):
        assert f'<a href="{target}">' in page


def test_a_report_that_cannot_be_published_is_an_error(tmp_path: Path) -> None:
    """The error names the file."""
    base = tmp_path / "summary_report"
    publish_report(report_of(sums(3)), base)
    base.with_suffix(".html").unlink()
    base.with_suffix(".html").mkdir()
    with pytest.raises(PublishError, match=r"summary_report\.html"):
        publish_report(report_of(sums(4)), base)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff", b"null"])
def test_a_last_report_that_cannot_be_read_is_none(tmp_path: Path, content: bytes | None) -> None:
    """It must not stop a sync."""
    if content is not None:
        (tmp_path / "summary_report.json").write_bytes(content)
    assert last_report(tmp_path / "summary_report") is None
