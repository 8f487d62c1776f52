"""Erasing a customer: nothing of theirs is left in the data directory, and everybody else is as before."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from customer_assets.core.errors import ConfigurationError, NotMaterializedError
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.defs.data_directory import DataDirectory
from customer_assets.defs.operations import cli
from customer_assets.defs.operations.erasure import Eraser, open_eraser, require_customer_id
from customer_assets.defs.resources import ProcessingResource
from customer_assets.export import DataExporter
from customer_assets.export.verify import read_export
from customer_assets_tests.harness.apis.plain_api import customer
from customer_assets_tests.harness.storage.plain_sync import PlainSync, copied_ids, exported_ids, leftovers

CANARY = {"email": "canary@erase.example", "first_name": "Canary", "last_name": "Bird", "avatar": "https://x.org/c"}
OTHERS = [customer(number) for number in (1, 2, 3, 40)]
THEIRS: list[dict[str, Any]] = [{"id": 4, **CANARY}, {"id": "004", **CANARY}]
REJECTED: list[dict[str, Any]] = [{"id": "x4", **CANARY, "email": "Canary@Erase.example "}, {"first_name": "Nobody"}]


@pytest.fixture
def sync(tmp_path: Path) -> Callable[[list[Any]], DataDirectory]:
    """Sync records into one data directory."""
    directory = DataDirectory(path=str(tmp_path / "data"), keep_exports=5, export_formats=["ndjson", "parquet"])

    def run(records: list[Any]) -> DataDirectory:
        plain = PlainSync(directory, records)
        try:
            plain.run()
        finally:
            plain.close()
        return directory

    return run


def everything(root: Path) -> str:
    """Read all files below a directory, Parquet decoded."""
    parts = []
    for path in sorted(root.rglob("*")):
        if path.suffix == ".parquet":
            parts.append(str(pq.read_table(path).to_pylist()))
        elif path.is_file():
            parts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(parts)


def erase(directory: DataDirectory, customer_id: str) -> dict[str, int]:
    return Eraser(directory, ProcessingResource()).erase(customer_id)


def test_the_command_finds_the_sync_by_its_module(
    sync: Callable[[list[Any]], DataDirectory], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its resources' names, if the module has several."""
    directory = sync(THEIRS + OTHERS)
    one = {"data_directory": directory, "processing": ProcessingResource()}
    other = {f"acme_{name}": resource for name, resource in one.items()}
    module = ModuleType("their_definitions")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.__dict__["defs"] = dg.Definitions(resources={**other, "unrelated": 1})
    cli.main(["erase", "--module", module.__name__, "4"])
    assert f"{1:>6,}  clean_customers\n" in capsys.readouterr().out
    module.__dict__["defs"] = dg.Definitions(resources={**other, **{f"b_{name}": each for name, each in one.items()}})
    with pytest.raises(ConfigurationError, match="has 2 syncs of this name"):
        open_eraser(module.__name__)
    assert open_eraser(module.__name__, "b").erase("4")
    with pytest.raises(ConfigurationError, match="has 0 syncs"):
        open_eraser(module.__name__, "c")


def test_nothing_of_the_customer_is_left(sync: Callable[[list[Any]], DataDirectory]) -> None:
    """Nor in past exports, nor in a record without a usable id that has their address, nor in pages."""
    for _ in range(2):
        directory = sync([*OTHERS, *THEIRS, *REJECTED])
    pages = directory.layout.pages_file
    pages.write_text("Canary")
    erased = erase(directory, "cust_004")
    assert (erased["raw_customers"], erased["clean_customers"], erased["quarantine"]) == (2, 1, 1)
    assert (erased["customers.json"], erased["customers.ndjson"], erased["customers.parquet"]) == (1, 1, 1)
    assert erased["files of unfinished crawls"] == 1
    left = everything(Path(directory.path))
    assert not [trace for trace in ("Canary", "canary", "cust_004") if trace in left]
    assert leftovers(directory) == []
    assert not any(erase(directory, "4").values())


def test_everybody_else_is_as_before(sync: Callable[[list[Any]], DataDirectory]) -> None:
    """Tables, facts and files fit together; the next sync of the others sees no change."""
    directory = sync([*OTHERS, *THEIRS, *REJECTED])
    erase(directory, "4")
    assert exported_ids(directory) == ["cust_001", "cust_002", "cust_003", "cust_040"]
    assert set(map(tuple, copied_ids(directory).values())) == {tuple(exported_ids(directory))}
    sync_again = PlainSync(directory, [])
    sync_again.export()  # what is committed still passes the gate
    exporter = DataExporter(sync_again.engine)
    expected = exporter.expected(sync_again.frames["clean_customers"])
    assert read_export(directory.export_file) == expected
    with directory.last_export() as held:
        assert exporter.expected(sync_again.frames["clean_customers"], held) == expected
    sync_again.close()
    facts = sync([*OTHERS, REJECTED[1]]).clean.current().facts
    assert facts.changes is not None
    assert (facts.changes.added, facts.changes.changed, facts.changes.gone, facts.changes.unchanged) == (0, 0, 0, 4)


def test_the_customer_comes_back_only_with_the_api(sync: Callable[[list[Any]], DataDirectory]) -> None:
    directory = sync([*OTHERS, *THEIRS])
    erase(directory, "4")
    sync(OTHERS)
    assert "Canary" not in everything(Path(directory.path))
    sync([*OTHERS, *THEIRS])
    assert "cust_004" in exported_ids(directory)


def test_an_earlier_version_that_others_read_goes_too(sync: Callable[[list[Any]], DataDirectory]) -> None:
    """When the gate held back what came later, `clean_customers.parquet` is older than the table."""
    directory = sync([*OTHERS, *THEIRS])
    plain = PlainSync(directory, [customer(9), *THEIRS])
    plain.crawl()
    plain.clean()
    plain.close()
    erase(directory, "4")
    assert "Canary" not in everything(Path(directory.path))
    assert not (directory.layout.local_lake / "clean_customers.parquet").exists()
    sync(OTHERS)
    assert (directory.layout.local_lake / "clean_customers.parquet").exists()


def test_before_the_first_sync_there_is_nothing_to_erase(tmp_path: Path) -> None:
    with pytest.raises(NotMaterializedError):
        erase(DataDirectory(path=str(tmp_path)), "4")


@pytest.mark.parametrize(
    ("text", "id_type", "expected"),
    [("7", "integer", 7), ("cust_007", "integer", 7), ("007", "text", "007"), ("cust_7", "text", "cust_7")],
)
def test_an_id_is_taken_as_the_api_or_the_export_has_it(text: str, id_type: str, expected: int | str) -> None:
    assert require_customer_id(text, RecordMapping.model_validate({"id_type": id_type})) == expected


@pytest.mark.parametrize("text", ["", "Ada", "cust_", "7.5"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not an id of the type integer"):
        require_customer_id(text, RecordMapping())


def test_counts_of_the_document_are_right(sync: Callable[[list[Any]], DataDirectory]) -> None:
    directory = sync([*OTHERS, *THEIRS])
    erase(directory, "4")
    document = json.loads(directory.export_file.read_bytes())
    assert document["metadata"]["total_customers"] == 4
    assert sum(document["metadata"]["data_quality_summary"].values()) == 4
