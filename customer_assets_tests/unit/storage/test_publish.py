"""How files are published: readers see the old version or the new one, and an error says which."""

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from upath import UPath

from customer_assets.core.errors import PublishError
from customer_assets.storage.publish import atomic_move, atomic_write, link_or_copy, publish_link, publish_to
from customer_assets_tests.harness.machines.services import skip_or_fail
from customer_assets_tests.harness.storage import file_operations
from customer_assets_tests.harness.storage.disks import refuse_link

HOLD_A_TEMPORARY_FILE = """
import sys
from pathlib import Path
from customer_assets.storage.publish import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def write(path: Path, text: str) -> None:
    """Publish a text."""
    with atomic_write(path) as temporary:
        temporary.write_text(text)


def contents(folder: Path) -> dict[str, str]:
    """Read all files of a folder."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file() and not path.is_symlink()}


def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path: Path) -> None:
    """As long as it lives, nobody touches it; files of other names neither."""
    path = tmp_path / "out[1].json"
    others = {".other.json.0.tmp", f".other.json.{'0' * 32}.tmp", ".out[1].json.mine.tmp"}
    for name in others:
        (tmp_path / name).write_text("not ours")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_TEMPORARY_FILE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        write(path, "first")
        assert len(list(tmp_path.iterdir())) == len(others) + 2
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        write(path, "second")
    assert {each.name for each in tmp_path.iterdir()} == {"out[1].json", *others}
    assert path.read_text() == "second"


def test_a_block_that_fails_publishes_nothing(tmp_path: Path) -> None:
    """The old version stays, the temporary file goes."""
    path = tmp_path / "out"
    write(path, "first")
    with pytest.raises(TypeError), atomic_write(path) as temporary:
        temporary.write_text(b"no text")  # type: ignore[arg-type]
    assert contents(tmp_path) == {"out": "first"}


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no other disk: mount /dev/shm")  # noqa: S108
def test_a_finished_file_can_come_from_another_disk(tmp_path: Path) -> None:
    """It is copied aside first: nobody sees half of it."""
    staged = Path("/dev/shm") / f"customer-assets-{os.getpid()}"  # noqa: S108
    staged.write_text("whole")
    atomic_move(staged, tmp_path / "out")
    assert not staged.exists()
    assert contents(tmp_path) == {"out": "whole"}
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_a_finished_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(PublishError, match=r"out was not published: No such file .*missing\); free or make writable"):
        atomic_move(tmp_path / "missing", tmp_path / "out")


@pytest.mark.parametrize("named", [("/here/staged", None, "/there/copy"), ("/there/copy",)])
def test_a_full_disk_is_that_of_the_file_that_was_written(tmp_path: Path, named: tuple[str | None, ...]) -> None:
    """A file that is copied there from another disk is not to blame, although Python names it first."""
    full = pytest.raises(PublishError, match=r"No space left \(/there/copy\); free or make writable /there\.")
    with full, atomic_write(tmp_path / "customers.json"):
        raise OSError(errno.ENOSPC, "No space left", *named)


@pytest.mark.parametrize("link", [os.link, refuse_link])
def test_a_file_that_is_read_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    """Whatever is published in its place meanwhile; on another disk, too, which cannot be linked to."""
    monkeypatch.setattr(os, "link", link)
    path, reading = tmp_path / "out", tmp_path / "reading"
    write(path, "first")
    link_or_copy(path, reading)
    write(path, "another run's")
    assert reading.read_text() == "first"
    assert reading.stat().st_mode & 0o777 == 0o600


def test_a_second_link_never_empties_the_file(tmp_path: Path) -> None:
    """Whoever asks for a name that is taken gets an error, and the file keeps its content."""
    path, reading = tmp_path / "out", tmp_path / "reading"
    write(path, "published")
    link_or_copy(path, reading)
    with pytest.raises(FileExistsError):
        link_or_copy(path, reading)
    assert contents(tmp_path) == {"out": "published", "reading": "published"}


@pytest.mark.parametrize("link", [os.link, refuse_link])
def test_a_file_is_published_under_a_second_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: Callable[..., None]
) -> None:
    """Again and again, the same file even; nothing is left beside it."""
    monkeypatch.setattr(os, "link", link)
    path, second = tmp_path / "out", tmp_path / "folder" / "second"
    for text in ("first", "second"):
        write(path, text)
        for _ in range(2):
            publish_link(path, second)
            assert contents(second.parent) == {"second": text}
    assert second.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_mode_and_group_of_a_published_file_are_kept(tmp_path: Path, mode: int) -> None:
    """Somebody gave others access on purpose."""
    path = tmp_path / "out"
    write(path, "first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    group = next((each for each in os.getgroups() if each != os.getegid()), os.getegid())
    os.chown(path, -1, 12345 if os.geteuid() == 0 else group)
    path.chmod(mode)
    before = path.stat()
    write(path, "second")
    assert (path.stat().st_mode, path.stat().st_gid) == (before.st_mode, before.st_gid)
    assert path.read_text() == "second"


def test_a_group_that_cannot_be_kept_gives_no_other_group_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        skip_or_fail("a file cannot be given to another group: run the tests as root")
    path = tmp_path / "out"
    write(path, "first")
    os.chown(path, -1, 12345)
    path.chmod(0o664)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chown", refuse)
    write(path, "second")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    """What it points to is replaced, in its own directory; the link stays. A target that is missing is created."""
    target, path = tmp_path / "elsewhere" / "real.json", tmp_path / "out.json"
    path.symlink_to("elsewhere/real.json")
    for text in ("first", "second"):
        write(path, text)
        assert path.readlink() == Path("elsewhere/real.json")
        assert contents(target.parent) == {"real.json": text}
    staged = tmp_path / "staged"
    staged.write_text("third")
    atomic_move(staged, path)
    publish_link(target, tmp_path / "second name")
    assert contents(target.parent) == {"real.json": "third"}
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["elsewhere", "out.json", "second name"]


def test_a_symbolic_link_to_itself_is_named(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.symlink_to("out")
    with pytest.raises(PublishError, match=r"out was not published: Too many levels of symbolic links"):
        write(path, "x")


@pytest.mark.parametrize("publish", [write, lambda path, text: publish_to(_staged(path, text), UPath(path))])
def test_a_directory_in_the_way_is_named(tmp_path: Path, publish: Callable[[Path, str], None]) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(PublishError, match=r"out was not published: it is a directory; free or make writable"):
        publish(tmp_path / "out", "x")


def _staged(path: Path, text: str) -> Path:
    staged = path.with_name("staged")
    staged.write_text(text)
    return staged


@pytest.mark.parametrize("code", file_operations.ERRORS)
@pytest.mark.parametrize("way", ["write", "move", "link"])
def test_an_error_says_which_version_is_in_place(tmp_path: Path, way: str, code: int) -> None:
    """Whichever operation fails: the path, the reason, and whether the new version can be read."""
    path, staged = tmp_path / "folder" / "out", tmp_path / "staged"

    def work() -> None:
        staged.unlink(missing_ok=True)
        staged.write_text("new")
        with file_operations.watched(path.parent, act):
            {"write": lambda: write(path, "new"), "move": lambda: atomic_move(staged, path)}.get(
                way, lambda: publish_link(staged, path)
            )()

    act: file_operations.Act = lambda *_: None  # noqa: E731
    write(path, "old")
    counted = file_operations.count(path.parent, lambda: write(path, "old"))
    in_place = set()
    for number in range(counted):
        act = file_operations.fail_at(number, code)
        error = None
        try:
            work()
        except PublishError as raised:
            error = raised
        if error is not None:
            assert os.strerror(code) in str(error)
            assert str(path) in str(error)
            in_place.add(error.in_place)
            assert path.read_text() == ("new" if error.in_place else "old"), (number, str(error))
        else:
            assert path.read_text() == "new"
        write(path, "old")
        assert contents(path.parent) == {"out": "old"}
    assert in_place == {False, True}


def test_a_directory_that_cannot_be_flushed_does_not_hide_the_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk reports trouble after the file was put in place: nobody says that the old one is unchanged."""
    path, fsync = tmp_path / "out", os.fsync
    write(path, "old")

    def fail_for_directories(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_directories)
    with pytest.raises(PublishError, match=r"out was published, but the disk did not confirm it \(Input") as raised:
        write(path, "new")
    assert "unchanged" not in str(raised.value)
    assert path.read_text() == "new"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_that_flushes_no_directories_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """FUSE, SMB and 9p say so in several ways."""
    fsync = os.fsync

    def refuse_directories(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_directories)
    write(tmp_path / "out", "new")
    assert contents(tmp_path) == {"out": "new"}


def test_another_users_leftover_blocks_nobody() -> None:
    """In a directory that all can write to, but where only owners can remove files."""
    if os.geteuid() != 0:
        skip_or_fail("no other user can be taken on: run the tests as root")
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from customer_assets.storage.publish import atomic_write\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "with atomic_write(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('theirs')\n"
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o1777)
        left = folder / f".out.{'0' * 32}.tmp"
        left.write_text("root's")
        left.chmod(0o600)
        command = [sys.executable, "-c", program, str(folder / "out")]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert contents(folder) == {"out": "theirs", left.name: "root's"}
