"""Staged files are private to a process and gone once it is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from customer_assets.storage.staging import StagingArea, sweep

HOLD_AN_AREA = """
import sys
from pathlib import Path
from customer_assets.storage.staging import StagingArea
area = StagingArea(Path(sys.argv[1]))
area.file("raw.parquet").write_text("half")
print("ready", flush=True)
sys.stdin.read()
"""


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    """A name is only the end of a file's name."""
    with StagingArea(tmp_path) as area:
        assert area.file("raw.parquet") != area.file("raw.parquet")


def test_a_closed_area_leaves_nothing(tmp_path: Path) -> None:
    """Directory and lock go with the area."""
    with StagingArea(tmp_path) as area:
        area.file("raw.parquet").write_text("rows")
    assert list(tmp_path.iterdir()) == []


def test_an_area_is_for_its_owner_only(tmp_path: Path) -> None:
    """Staged rows are personal data."""
    with StagingArea(tmp_path / "staging") as area:
        assert area.directory.stat().st_mode & 0o077 == 0


def test_the_area_of_a_live_process_is_kept_and_of_a_killed_one_swept(tmp_path: Path) -> None:
    """A sweep takes what nobody holds, whatever ended its process."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_AN_AREA, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        assert sweep(tmp_path) == 0
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_area_of_this_very_process_is_not_swept(tmp_path: Path) -> None:
    """Two areas may be open at once."""
    with StagingArea(tmp_path) as first, StagingArea(tmp_path) as second:
        assert first.directory.is_dir()
        assert second.directory.is_dir()
