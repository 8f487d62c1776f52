"""DuckDB as an engine: the memory that it may use, where it puts the rest, and no network."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from customer_assets.core.errors import ConfigurationError
from customer_assets.processing.engines import (
    check_engine,
    open_engine,
)


def test_memory_limit_that_is_none() -> None:
    """An amount that DuckDB cannot read is a configuration error."""
    with pytest.raises(ConfigurationError, match="memory"):
        open_engine("duckdb", memory_limit="a lot")


@pytest.mark.parametrize("amount", ["1GB", "512 MB", "1.5GiB", "80%", "1000000B", "2 terabytes", "-1", "none"])
def test_every_amount_that_passes_the_check_is_one(amount: str) -> None:
    """The check reads amounts as DuckDB does, without it."""
    check_engine("duckdb", amount)
    open_engine("duckdb", memory_limit=amount)


@pytest.mark.parametrize("amount", ["lots", "a lot", "GB", "1", "1 parsec", "1_000MB"])
def test_no_amount_that_is_none_passes_the_check(amount: str) -> None:
    """As DuckDB would refuse it."""
    with pytest.raises(ConfigurationError, match="memory_limit"):
        check_engine("duckdb", amount)
    with pytest.raises(ConfigurationError, match="memory_limit"):
        open_engine("duckdb", memory_limit=amount)


def test_memory_limit_and_spill_directory(tmp_path: Path) -> None:
    """DuckDB keeps to the memory it is given and spills where it is told."""
    engine = open_engine("duckdb", memory_limit="512MB", spill_dir=tmp_path / "spill")
    settings = "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
    assert engine.connection.execute(settings).fetchone() == ("488.2 MiB", str(tmp_path / "spill"))  # type: ignore[attr-defined] # DuckDB's own


def test_duckdb_stays_offline() -> None:
    """No extension is fetched or loaded from the network."""
    connection = open_engine("duckdb").connection  # type: ignore[attr-defined] # DuckDB's own
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "TimeZone")
    assert [connection.execute(f"SELECT current_setting('{name}')").fetchone()[0] for name in names] == [
        False,
        False,
        "UTC",
    ]


def test_without_a_setting_it_spills_to_a_private_directory_that_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the working directory; what a killed process leaves goes when the next one opens an engine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    program = (
        "import os; from customer_assets.processing.engines import open_engine\n"
        "engine = open_engine('duckdb', memory_limit='20MB')\n"
        "engine.connection.execute('SET threads = 1')\n"
        "engine.connection.execute('CREATE TABLE t AS SELECT md5(i::VARCHAR) m FROM range(600000) r(i)')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    left = [path for path in (tmp_path / "cache").rglob("*") if path.name.startswith("duckdb_temp")]
    assert left, "it has spilled"
    assert {path.stat().st_mode & 0o077 for path in left[0].parents[1:3]} == {0}
    assert list((tmp_path / "work").iterdir()) == []
    open_engine("duckdb")
    assert not left[0].exists()


def test_without_a_place_for_it_duckdb_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert open_engine("duckdb").from_arrow(pa.table({"a": [1]})).collect().shape == (1, 1)
