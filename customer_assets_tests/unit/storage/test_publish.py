"""How files are published."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from customer_assets.errors import PublishError
from customer_assets.storage.publish import atomic_move, atomic_write, link_or_copy
from customer_assets_tests.harness.disks import refuse_link

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


def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path: Path) -> None:
    """As long as it lives, nobody touches it; files of other names neither."""
    path = tmp_path / "out[1].json"
    (tmp_path / ".other.json.0.tmp").write_text("not ours")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_TEMPORARY_FILE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        write(path, "first")
        assert len(list(tmp_path.iterdir())) == 3
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        write(path, "second")
    assert {each.name for each in tmp_path.iterdir()} == {"out[1].json", ".other.json.0.tmp"}
    assert path.read_text() == "second"


@pytest.mark.smoke
def test_a_block_that_fails_publishes_nothing(tmp_path: Path) -> None:
    """The version before stays, the temporary file goes."""
    path = tmp_path / "out"
    write(path, "first")
    with pytest.raises(TypeError), atomic_write(path) as temporary:
        temporary.write_text(b"no text")  # type: ignore[arg-type]
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("out", "first")]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="there is no other disk: mount /dev/shm")  # noqa: S108
def test_a_finished_file_may_come_from_another_disk(tmp_path: Path) -> None:
    """It is copied aside first: nobody sees half of it."""
    staged = Path("/dev/shm") / f"customer-assets-{os.getpid()}"  # noqa: S108
    staged.write_text("whole")
    atomic_move(staged, tmp_path / "out")
    assert not staged.exists()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("out", "whole")]
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_a_finished_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(PublishError, match="out"):
        atomic_move(tmp_path / "missing", tmp_path / "out")


@pytest.mark.parametrize("link", [os.link, refuse_link])
def test_a_file_that_is_read_stays_what_it_is(
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
