"""A table's file and its facts are one version: committed in one step, read together, whatever goes wrong."""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import BaseModel
from upath import UPath

from customer_assets.core.errors import DamagedTableError, NotMaterializedError, PublishError, TableError
from customer_assets.storage.folders import open_folder
from customer_assets.storage.staging import StagingArea
from customer_assets.storage.versions import ATTEMPTS, STRANGERS_KEPT, Table
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.disks import refuse_link


class Facts(BaseModel):
    """What is said of a table's file."""

    says: str


class Site:
    """A lake and this process's way into it."""

    def __init__(self, tmp_path: Path, lake: UPath) -> None:
        self.root, self.lake = tmp_path, lake
        self.rejected = tmp_path / "quarantine" / "rejected.parquet"
        self.area = StagingArea(tmp_path / "staging")

    def table(self, area: StagingArea | None = None) -> Table[Facts]:
        """Open the table, as another step or another run would."""
        return Table(open_folder(self.lake), "t", Facts, lambda: area or self.area, {"rejected": self.rejected})

    def commit(self, says: str, area: StagingArea | None = None) -> None:
        """Commit a version whose file, quarantine and facts all say the same."""
        area = area or self.area
        staged, rejected = area.file("t.parquet"), area.file("rejected.parquet")
        staged.write_text(says)
        rejected.write_text(f"not {says}")
        try:
            self.table(area).commit(staged, Facts(says=says), {"rejected": rejected})
        finally:
            for path in (staged, rejected):
                with suppress(OSError):  # a test lets any operation fail
                    path.unlink()

    def read_frame(self) -> str:
        """Read the version as the next step does; facts and file belong together."""
        version, file = self.table().fetch()
        assert file.read_text() == version.facts.says
        file.unlink()
        return version.facts.says

    def read(self) -> str:
        """Read the version, and the quarantine that belongs to it."""
        version = self.table().current()
        assert self.read_frame() == version.facts.says
        rejected = open_folder(self.lake).read(version.parts["rejected"].file).decode()
        assert rejected == f"not {version.facts.says}"
        return version.facts.says

    def shown(self) -> tuple[str, str]:
        """Read what others see under the names that stay."""
        return (self.lake / "t.parquet").read_text(), self.rejected.read_text()

    def files(self) -> set[str]:
        """List the lake's files, and all temporary ones, without what makes version names unique."""
        found = {
            path.removeprefix(self.lake.path).strip("/").partition("-")[0] for path in self.lake.fs.find(self.lake.path)
        }
        hidden = {path.name for path in self.root.rglob(".*") if path.is_file()}
        return found | hidden

    def count_versions(self) -> int:
        """Count the files of versions."""
        return len(self.lake.fs.find(f"{self.lake.path}/versions"))


WHOLE = {"t.json", "t.parquet", "versions/t", "versions/rejected"}


@pytest.fixture(params=["directory", "memory"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A lake on a disk, and one in an object store."""
    lake = UPath(tmp_path / "lake") if request.param == "directory" else UPath(f"memory://lake-{time.monotonic_ns()}")
    return Site(tmp_path, lake)


@pytest.fixture
def local(tmp_path: Path) -> Site:
    """A lake on a disk."""
    return Site(tmp_path, UPath(tmp_path / "lake"))


def test_file_facts_and_quarantine_are_read_as_they_were_committed(site: Site) -> None:
    for says in ("first", "second"):
        site.commit(says)
        assert site.read() == says
        assert site.shown() == (says, f"not {says}")


def test_a_gated_version_gets_the_tables_name_when_it_has_passed(site: Site) -> None:
    """Not another one that was committed meanwhile."""

    def commit(says: str) -> Table[Facts]:
        table = Table(open_folder(site.lake), "t", Facts, lambda: site.area, is_gated=True)
        staged = site.area.file("t.parquet")
        staged.write_text(says)
        table.commit(staged, Facts(says=says))
        staged.unlink()
        return table

    shown = site.lake / "t.parquet"
    table = commit("refused")
    assert not shown.exists()
    assert site.read_frame() == "refused"
    commit("accepted")
    table.show(Facts(says="refused"))
    assert not shown.exists()
    table.show(Facts(says="accepted"))
    assert shown.read_text() == "accepted"
    commit("refused, too")
    assert shown.read_text() == "accepted"
    assert site.read_frame() == "refused, too"


def test_before_the_first_commit_there_is_nothing(site: Site) -> None:
    with pytest.raises(NotMaterializedError, match=r"t was never materialised there\. Materialise t first"):
        site.table().current()
    with pytest.raises(NotMaterializedError):
        site.table().fetch()


def test_a_superseded_version_is_removed(site: Site) -> None:
    for number in range(5):
        site.commit(f"version {number}")
        assert site.files() == WHOLE
        assert site.count_versions() == 2


@pytest.mark.parametrize("link", [os.link, refuse_link])
def test_what_is_read_stays_as_it_is(site: Site, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]) -> None:
    """Though another run supersedes it meanwhile; without hard links, too."""
    monkeypatch.setattr(os, "link", link)
    site.commit("first")
    _, file = site.table().fetch()
    site.commit("second")
    assert file.read_text() == "first"
    assert site.read() == "second"
    assert site.shown() == ("second", "not second")


def test_the_same_file_can_be_committed_with_other_facts(site: Site) -> None:
    staged = site.area.file("t.parquet")
    staged.write_text("rows")
    for says in ("first", "second"):
        site.table().commit(staged, Facts(says=says))
        version, file = site.table().fetch()
        assert (version.facts.says, file.read_text()) == (says, "rows")


def test_everything_is_private(local: Site) -> None:
    local.commit("first")
    for path in (*local.root.glob("lake/**/*"), local.rejected, local.rejected.parent):
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_flipped_bit_passes(local: Site) -> None:
    """Every bit of the pointer: either it is noticed, with the file and the remedy, or it changes nothing."""
    local.commit("missing_customers: 8")
    pointer = Path(local.table().pointer)
    good, version = pointer.read_bytes(), local.table().current()
    noticed = 0
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        pointer.write_bytes(flipped)
        message = ""
        try:
            assert local.table().current() == version
        except DamagedTableError as error:
            message = str(error)
        if message:
            assert message.startswith(f"{pointer} cannot be read: ")
            assert message.endswith("Materialise t again.")
            noticed += 1
    assert noticed > len(good) * 7
    pointer.write_bytes(good)


def test_facts_that_were_changed_by_hand_are_refused(site: Site) -> None:
    site.commit("missing_customers: 8")
    pointer = site.lake / "t.json"
    pointer.write_bytes(pointer.read_bytes().replace(b"customers: 8", b"customers: 0"))
    with pytest.raises(DamagedTableError, match="checksum does not match"):
        site.table().fetch()
    site.commit("again")
    assert site.read() == "again"


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"[" * 100_000, b'{"version": 99}', b"\xff\xfe"])
def test_a_pointer_that_is_none_is_refused(site: Site, content: bytes) -> None:
    site.commit("first")
    (site.lake / "t.json").write_bytes(content)
    with pytest.raises(DamagedTableError, match="damaged or cut off"):
        site.table().current()
    site.commit("second")
    assert site.read() == "second"


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"facts": {"claims": "x"}}, {"parts": {}}, {"parts": []}, {"parts": {"t": {}}}]
)
def test_another_versions_pointer_is_refused(local: Site, change: dict[str, object]) -> None:
    """Though its checksum is right."""
    local.commit("first")
    pointer = Path(local.table().pointer)
    body = json.loads(pointer.read_bytes())["version"] | change
    checksum = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    pointer.write_text(json.dumps({"checksum": checksum, "version": body}))
    with pytest.raises(DamagedTableError, match="another version of customer_assets wrote it"):
        local.table().current()


def test_a_damaged_file_is_refused(site: Site) -> None:
    """A single bit is enough."""
    site.commit("first")
    (path,) = (path for path in site.lake.fs.find(f"{site.lake.path}/versions") if "/t-" in path)
    site.lake.fs.pipe_file(path, b"firsu")
    with pytest.raises(DamagedTableError, match=r"t\.parquet cannot be read: versions/t-.* is not what was committed"):
        site.table().fetch()
    assert [file.name for file in site.area.directory.iterdir()] == []


def test_a_missing_file_is_named(site: Site) -> None:
    site.commit("first")
    (path,) = (path for path in site.lake.fs.find(f"{site.lake.path}/versions") if "/t-" in path)
    site.lake.fs.rm_file(path)
    with pytest.raises(DamagedTableError, match=r"versions/t-.*\.parquet is missing\. Materialise t again"):
        site.table().fetch()
    site.commit("second")
    assert site.read() == "second"


def test_a_pipe_in_a_files_place_is_named_at_once(local: Site) -> None:
    """Nobody waits for a writer."""
    local.commit("first")
    (version,) = (local.root / "lake" / "versions").glob("t-*")
    for path in (version, local.root / "lake" / "t.json"):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(OSError, match="not a file") as raised:
            local.table().fetch()
        assert raised.value.filename == str(path)
    local.commit("second")
    assert local.read() == "second"


@pytest.mark.parametrize("name", ["lake/t.parquet", "quarantine/rejected.parquet", "lake/t.json"])
def test_a_directory_in_the_way_is_named_before_anything_changes(local: Site, name: str) -> None:
    local.commit("first")
    path = local.root / name
    content = path.read_bytes()
    path.unlink()
    path.mkdir()
    with pytest.raises(PublishError, match=rf"it is a directory \(.*{path.name}\).*The previous version is unchanged"):
        local.commit("second")
    path.rmdir()
    path.write_bytes(content)
    assert local.read() == "first"
    assert local.files() == WHOLE


def test_strangers_in_the_folder_of_versions_are_left_alone(local: Site) -> None:
    """A person's file, another table's, and one that another machine began to write just now."""
    local.commit("first")
    versions = local.root / "lake" / "versions"
    stamp, now = "20200101T000000Z", f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    kept = [
        f"t-{now}-{'0' * 8}-{'0' * 32}-{'0' * 8}.parquet",
        f"u-{stamp}-{'0' * 8}-{'0' * 32}-{'0' * 8}.parquet",
        "t-mine.parquet",
    ]
    gone = f"t-{stamp}-{'0' * 8}-{'0' * 32}-{'0' * 8}.parquet"
    for name in (*kept, gone):
        (versions / name).write_text("")
    local.commit("second")
    assert STRANGERS_KEPT.days == 1
    assert {name for name in (*kept, gone) if (versions / name).exists()} == set(kept)


def test_a_version_that_cannot_be_removed_costs_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.commit("first")
    table = site.table()

    def refuse(name: str) -> None:
        raise PermissionError(1, "Operation not permitted", name)

    monkeypatch.setattr(table._folder, "remove", refuse)
    staged = site.area.file("t.parquet")
    staged.write_text("second")
    with caplog.at_level(logging.WARNING):
        table.commit(staged, Facts(says="second"))
    assert table.fetch()[0].facts.says == "second"
    assert "could not be removed: Operation not permitted" in caplog.text


def test_a_pointer_that_cannot_be_read_is_not_called_missing(local: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    local.commit("first")
    table = local.table()

    def refuse(name: str) -> bytes:
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(table._folder, "read", refuse)
    with pytest.raises(PermissionError):
        table.fetch()


def test_a_version_that_is_removed_before_it_is_fetched_is_read_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run supersedes it between the pointer and the file."""
    site.commit("version 0")
    table = site.table()
    fetch, commits = table._folder.fetch, iter(range(1, ATTEMPTS - 1))

    def overtaken(name: str, target: Path) -> None:
        number = next(commits, None)
        if number is not None:
            site.commit(f"version {number}")
        fetch(name, target)

    monkeypatch.setattr(table._folder, "fetch", overtaken)
    version, file = table.fetch()
    assert (version.facts.says, file.read_text()) == (f"version {ATTEMPTS - 2}",) * 2


def test_a_store_that_takes_the_pointer_but_does_not_say_so_keeps_the_version(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of a version are removed only if the pointer does not name them."""
    site.commit("first")
    table = site.table()
    replace = table._folder.replace

    def cut_off(name: str, content: bytes) -> None:
        replace(name, content)
        raise ConnectionResetError(104, "Connection reset by peer", name)

    monkeypatch.setattr(table._folder, "replace", cut_off)
    staged, rejected = site.area.file("t.parquet"), site.area.file("rejected.parquet")
    staged.write_text("second")
    rejected.write_text("not second")
    with pytest.raises(PublishError, match="was published, but Connection reset by peer") as raised:
        table.commit(staged, Facts(says="second"), {"rejected": rejected})
    assert raised.value.in_place
    assert site.read() == "second"


def test_what_was_set_aside_is_read_no_more(site: Site) -> None:
    site.commit("first")
    site.table().set_aside()
    site.table().set_aside()
    with pytest.raises(NotMaterializedError):
        site.table().fetch()
    assert {"t.json.damaged", "t.parquet.damaged"} < site.files()
    site.commit("second")
    site.table().remove_set_aside()
    assert site.files() == WHOLE


def test_threads_that_read_at_once_read_the_whole_file(local: Site) -> None:
    """And leave it as it is: each has a copy or link of its own."""
    content = "rows" * 100_000
    local.commit(content)
    start = threading.Barrier(8)

    def read() -> str:
        start.wait()
        return local.read_frame()

    with ThreadPoolExecutor(8) as pool:
        assert [each.result() for each in [pool.submit(read) for _ in range(8)]] == [content] * 8
    assert local.shown() == (content, f"not {content}")


def test_threads_that_commit_and_read_at_once_see_whole_versions(local: Site) -> None:
    local.commit("version 0")
    done = threading.Event()

    def commit(writer: int) -> None:
        for number in range(10):
            local.commit(f"{writer} {number}")

    def read() -> int:
        read = 0
        while not done.is_set() or not read:
            local.read_frame()
            read += 1
        return read

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        writers = [pool.submit(commit, writer) for writer in range(2)]
        for each in writers:
            each.result()
        done.set()
        assert all(each.result() for each in readers)
    assert local.read() in ("0 9", "1 9")


def test_a_commit_that_is_killed_anywhere_leaves_the_old_version_or_the_new(local: Site) -> None:
    """And the next commit leaves nothing of it."""
    local.commit("old")
    number, seen = 0, set()

    def commit() -> None:
        local.commit("new", StagingArea(local.root / "staging"))

    while file_operations.kill_at(local.root, number, commit):
        seen.add(local.read())
        assert set(local.shown()) <= {"old", "new", "not old", "not new"}
        if local.rejected.read_text() == "not new":  # the quarantine is never ahead of the customers
            assert local.read() == "new"
        local.commit("old")
        assert local.read() == "old"
        assert local.shown() == ("old", "not old")
        assert local.files() == WHOLE, number
        assert local.count_versions() == 2
        number += 1
    assert number > 25
    assert seen == {"old", "new"}


@pytest.mark.parametrize("code", file_operations.ERRORS)
def test_a_commit_that_fails_anywhere_says_which_version_is_current(local: Site, code: int) -> None:
    """Every operation of it fails once."""
    local.commit("old")
    operations = file_operations.count(local.root, lambda: local.commit("old"))
    assert operations > 25
    for number in range(operations):
        error: Exception | None = None
        try:
            with file_operations.watched(local.root, file_operations.fail_at(number, code)):
                local.commit("new")
        except (OSError, TableError, PublishError) as raised:
            error = raised
        context = (number, str(error))
        if isinstance(error, PublishError):
            assert os.strerror(code) in str(error), context
            assert str(local.root) in str(error), context
            assert local.read() == ("new" if error.in_place else "old"), context
        elif error is not None:  # before anything was written, or by the test's own staging
            assert local.read() == "old", context
        else:
            assert (local.read(), *local.shown()) == ("new", "new", "not new"), context
        local.commit("old")
        assert local.read() == "old"
        assert local.files() == WHOLE, context


def test_a_commit_that_is_held_up_anywhere_mixes_with_no_other(local: Site) -> None:
    """While it waits, another run commits; whichever is last is current, whole."""
    number, ended = 0, False
    while not ended:
        local.commit("old")
        between: list[str] = []

        def meanwhile(between: list[str] = between) -> None:
            local.commit("other")
            between.append(local.read())

        errors = file_operations.pause_at(local.root, number, lambda: local.commit("held up"), meanwhile)
        assert errors == [], number
        assert between == ["other"]
        assert local.read() in ("held up", "other")
        number += 1
        ended = number >= 60
    local.commit("last")
    assert local.shown() == ("last", "not last")
