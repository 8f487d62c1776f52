"""Merges changed records into the raw table, out of core. Which records were requested is not known here.

One record replaces all rows of its customer if it is not older than they are. Everything else stays as it is. A table's
content has a hash that does not depend on the order of rows, nor on the pages that they came on: it is a sum over rows,
so that a merge computes it from the rows that come and go.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from customer_assets.core.errors import PublishError
from customer_assets.core.models import UpsertSummary
from customer_assets.storage.parquet import escape_glob
from customer_assets.storage.private_files import private_file
from customer_assets.storage.publish import link_or_copy

if TYPE_CHECKING:
    import duckdb

DUCKDB = "duckdb"

NOT_CONTENT = ("page", "position")
"""Where a record stood in a crawl says nothing about the customer."""

UPDATED = "record_updated_at"

MEMORY_LIMIT = "768MB"
"""DuckDB spills to disk beyond it. A merge holds the changes in memory, not the table: 1,000,000 fit."""

_SETTINGS: dict[str, Any] = {
    "memory_limit": MEMORY_LIMIT,
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_WRAPPED = 2**64


@dataclass(frozen=True, slots=True)
class ContentHash:
    """A sum over the rows of a table: two hashes of each row, added up, modulo 2^64 each.

    The hashes are DuckDB's own, which take a tenth of the time that MD5 takes, and can differ between its versions.
    """

    low: int = 0
    high: int = 0

    def __add__(self, other: "ContentHash") -> "ContentHash":
        """Add rows."""
        return ContentHash((self.low + other.low) % _WRAPPED, (self.high + other.high) % _WRAPPED)

    def __sub__(self, other: "ContentHash") -> "ContentHash":
        """Remove rows."""
        return ContentHash((self.low - other.low) % _WRAPPED, (self.high - other.high) % _WRAPPED)

    def __str__(self) -> str:
        """Write it as DuckDB's version and 32 hexadecimal digits."""
        return f"{version(DUCKDB)}:{self.high:016x}{self.low:016x}"

    @classmethod
    def parse(cls, text: str) -> "ContentHash | None":
        """Read what `str` wrote; None if another version of DuckDB made it, so that it compares with nothing."""
        made_by, _, digits = text.partition(":")
        if made_by != version(DUCKDB):
            return None
        return cls(int(digits[16:], 16), int(digits[:16], 16))


def hash_content(file: Path) -> ContentHash:
    """Hash the rows of a raw table."""
    with _database(file.parent) as database:
        schema = pq.read_schema(file)
        low, high = _row_hash(schema)
        query = f"SELECT sum({low}), sum({high}) FROM read_parquet(?)"  # noqa: S608 - names of our own columns
        return _content_hash(database.execute(query, [escape_glob(file)]).fetchall()[0])


def find_updates(file: Path, before: datetime | None = None) -> tuple[datetime | None, int]:
    """Return when the record that changed last did, and how many changed before an instant.

    None, and 0, if the records are not dated.
    """
    if UPDATED not in pq.read_schema(file).names:
        return None, 0
    with _database(file.parent) as database:
        query = f"SELECT max({UPDATED}), count(*) FILTER ({UPDATED} < ?) FROM read_parquet(?)"  # noqa: S608 - a constant
        ((newest, early),) = database.execute(query, [before, escape_glob(file)]).fetchall()
    return newest, early


def upsert(base: Path, changes: Path, target: Path, deleted: Path | None = None) -> tuple[UpsertSummary, ContentHash]:
    """Merge changes into a raw table; return what became of them, and by how much the table's hash changes.

    Of several records of a customer among the changes, the newest is taken; if the API does not date its records, or
    dates them alike, the one that came last. It replaces the customer's rows unless they are newer, or equal to it.

    The rows of deleted customers are removed, unless the customer is among the changes: that list was read first.

    Args:
        base: The table.
        changes: A table of the same columns.
        target: Where the merged table is written; private to its owner.
        deleted: A table of the ids of deleted customers.

    Raises:
        OSError: It could not be written.
        PublishError: Rows were lost or doubled.
    """
    schema = pq.read_schema(base)
    with _database(target.parent) as database, private_file(target):
        gone = None if deleted is None else escape_glob(deleted)
        _classify(database, schema, escape_glob(base), escape_glob(changes), gone)
        summary, change = _sum_up(database, base, changes)
        if summary.added or summary.removed:
            _write(database, schema, target)
        else:  # on a quiet day the table is not written again
            target.unlink()
            link_or_copy(base, target)
        if pq.read_metadata(target).num_rows != summary.after or not summary.adds_up:
            raise PublishError(str(target), f"the merged table does not add up: {summary!r}")
    return summary, change


def _write(database: "duckdb.DuckDBPyConnection", schema: pa.Schema, target: Path) -> None:
    columns = ", ".join(f'"{name}"' for name in schema.names)
    path = str(target).replace("'", "''")
    # USE_TMP_FILE would write beside the private file and replace it, readable by all.
    database.execute(f"""
        COPY (
            SELECT {columns} FROM base ANTI JOIN leaving USING (id)
            UNION ALL BY NAME
            SELECT {columns} FROM incoming SEMI JOIN winners USING (id)
        ) TO '{path}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)
    """)  # noqa: S608 - names of our own columns, and a path that is escaped


def merge_rejected(before: Path, changes: Path, target: Path) -> None:
    """Add rejected records to a quarantine; a record that is in it already, as it is, is not added again."""
    with _database(target.parent) as database, private_file(target):
        path = str(target).replace("'", "''")
        database.execute(
            f"""
            COPY (
                SELECT * EXCLUDE (_crawl) FROM (
                    SELECT *, 0 AS _crawl FROM read_parquet($before)
                    UNION ALL BY NAME
                    SELECT *, 1 AS _crawl FROM read_parquet($changes)
                )
                QUALIFY _crawl = 0 OR row_number() OVER (
                    PARTITION BY reason_code, record ORDER BY _crawl, page, position
                ) = 1
            ) TO '{path}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)
            """,  # noqa: S608 - a path that is escaped
            {"before": escape_glob(before), "changes": escape_glob(changes)},
        )


@contextmanager
def _database(folder: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open a database that spills into a folder.

    Raises:
        OSError: A file could not be read or written.
    """
    import duckdb  # noqa: PLC0415 - loaded when the first changes are merged, not when the program starts

    with (
        TemporaryDirectory(dir=folder) as spill_dir,
        duckdb.connect(config={**_SETTINGS, "temp_directory": spill_dir}) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        try:
            yield connection
        except duckdb.IOException as error:
            raise OSError(errno.EIO, str(error).partition("\n")[0], str(folder)) from error


def _classify(
    database: "duckdb.DuckDBPyConnection", schema: pa.Schema, base: str, changes: str, deleted: str | None
) -> None:
    """Make the tables of what comes and goes.

    They are `incoming` (a record a customer), `stored` (the rows of those and of deleted customers, summed up),
    `winners` (whose record comes) and `leaving` (whose rows go).
    """
    low, high = _row_hash(schema)
    is_dated = UPDATED in schema.names
    newest_first = f"{UPDATED} DESC NULLS LAST, " if is_dated else ""
    updated = UPDATED if is_dated else "NULL::TIMESTAMPTZ"
    literal = base.replace("'", "''")
    database.execute(f"CREATE TEMP VIEW base AS SELECT * FROM read_parquet('{literal}')")  # noqa: S608 - escaped
    database.execute(
        f"""
        CREATE TEMP TABLE incoming AS
        SELECT *, {low} AS _low, {high} AS _high, {updated} AS _updated FROM read_parquet(?)
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY {newest_first}page DESC, position DESC) = 1
        """,  # noqa: S608 - names of our own columns
        [changes],
    )
    database.execute("CREATE TEMP TABLE affected AS SELECT id, false AS _is_gone FROM incoming")
    if deleted is not None:
        gone = "SELECT DISTINCT id, true FROM read_parquet(?) ANTI JOIN incoming USING (id)"
        database.execute(f"INSERT INTO affected {gone}", [deleted])
    database.execute(f"""
        CREATE TEMP TABLE stored AS
        SELECT id, _is_gone, count(*) AS _rows, sum({low}) AS _low, sum({high}) AS _high, max({updated}) AS _updated
        FROM base JOIN affected USING (id) GROUP BY ALL
    """)  # noqa: S608 - names of our own columns
    database.execute("""
        CREATE TEMP TABLE verdicts AS
        SELECT id, CASE
            WHEN stored._rows IS NULL THEN 'added'
            WHEN incoming._updated < stored._updated THEN 'stale'
            WHEN stored._rows = 1 AND incoming._low = stored._low AND incoming._high = stored._high THEN 'unchanged'
            ELSE 'replaced'
        END AS verdict
        FROM incoming LEFT JOIN stored USING (id)
    """)
    database.execute("CREATE TEMP TABLE winners AS SELECT id FROM verdicts WHERE verdict IN ('added', 'replaced')")
    database.execute(
        "CREATE TEMP TABLE leaving AS SELECT id FROM winners UNION ALL SELECT id FROM stored WHERE _is_gone"
    )


def _sum_up(database: "duckdb.DuckDBPyConnection", base: Path, changes: Path) -> tuple[UpsertSummary, ContentHash]:
    counts: dict[str, int] = dict(
        database.execute("SELECT verdict, count(*) FROM verdicts GROUP BY verdict").fetchall()
    )
    came = _content_hash(
        database.execute("SELECT sum(_low), sum(_high) FROM incoming SEMI JOIN winners USING (id)").fetchall()[0]
    )
    ((deleted, removed, *gone),) = database.execute("""
        SELECT count(*) FILTER (_is_gone), coalesce(sum(_rows), 0), sum(_low), sum(_high)
        FROM stored SEMI JOIN leaving USING (id)
    """).fetchall()
    received = pq.read_metadata(changes).num_rows
    summary = UpsertSummary(
        before=pq.read_metadata(base).num_rows,
        received=received,
        repeated=received - sum(counts.values()),
        stale=counts.get("stale", 0),
        unchanged=counts.get("unchanged", 0),
        replaced=counts.get("replaced", 0),
        added=counts.get("added", 0),
        removed=int(removed),
        deleted=deleted,
    )
    return summary, came - _content_hash(gone)


def _content_hash(sums: Sequence[int | None]) -> ContentHash:
    low, high = (int(each or 0) % _WRAPPED for each in sums)
    return ContentHash(low, high)


def _row_hash(schema: pa.Schema) -> tuple[str, str]:
    """SQL for the two hashes of a row's content."""
    values = ", ".join(f'"{name}"' for name in schema.names if name not in NOT_CONTENT)
    return f"hash({values})", f"hash(1, {values})"
