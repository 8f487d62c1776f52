"""The processor: lists of raw customers in, clean customers out, on every engine alike."""

import json
from datetime import UTC, datetime, timedelta, timezone
from operator import itemgetter
from typing import Any

import narwhals as nw
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_assets.core.errors import ConfigurationError
from customer_assets.core.models import CleanCustomer
from customer_assets.core.record_mapping import RecordMapping
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import Engine
from customer_assets.processing.landing.batches import landed_objects
from customer_assets_tests.harness.records.dirty import any_record, dirty_records, each_edge_case
from customer_assets_tests.harness.records.record_cases import MAPPINGS
from customer_assets_tests.harness.records.reference import cleaned, parse_id

GEORGE = {
    "id": 1,
    "email": "george.bluth@reqres.in",
    "first_name": "George",
    "last_name": "Bluth",
    "avatar": "https://reqres.in/img/faces/1-image.jpg",
}


@pytest.fixture(scope="session")
def processor(engine: Engine, as_of: datetime) -> CustomerDataProcessor:
    """A processor on each engine."""
    return CustomerDataProcessor(as_of=as_of, engine=engine)


def test_data_processor_transformation(processor: CustomerDataProcessor) -> None:
    """A raw customer becomes an analytics record: its own fields, and generated ones from the lists allowed."""
    (clean,) = processor.process_customers([GEORGE])
    assert list(clean) == list(CleanCustomer.model_fields)
    assert clean["customer_id"] == 1
    assert clean["full_name"] == "George Bluth"
    assert clean["email_domain"] == "reqres.in"
    assert clean["engagement_level"] in {"high", "medium", "low"}
    assert clean["activity_status"] in {"active", "inactive"}
    assert clean["data_quality_score"] == 100
    CleanCustomer.model_validate(clean)


@pytest.mark.parametrize(
    ("records", "kept_name", "score"),
    [
        pytest.param([{"id": 1, "first_name": "A"}, {**GEORGE, "id": 1}], "George Bluth", 100, id="the better one"),
        pytest.param([{**GEORGE, "id": 1}, {"id": 1, "first_name": "A"}], "George Bluth", 100, id="whatever the order"),
        pytest.param([GEORGE, {**GEORGE, "first_name": "Gob"}], "George Bluth", 100, id="the first of equals"),
        pytest.param([GEORGE, GEORGE, GEORGE], "George Bluth", 100, id="all the same"),
        pytest.param([{"id": "1"}, {"id": 1, "last_name": "B"}], "B", 70, id="an id as text is the same id"),
    ],
)
def test_duplicate_handling(processor: CustomerDataProcessor, records: list[Any], kept_name: str, score: int) -> None:
    """Of several records of a customer the one with the highest score stays, then the earliest."""
    (clean,) = processor.process_customers(records)
    assert (clean["full_name"], clean["data_quality_score"]) == (kept_name, score)


SCORES: list[tuple[dict[str, Any], int]] = [
    ({}, 100),
    ({"email": None}, 90),
    ({"email": "george"}, 90),
    ({"first_name": " "}, 90),
    ({"last_name": 5}, 90),
    ({"avatar": None}, 90),
    ({"engagement_score": 0.5}, 100),
    ({"engagement_score": None}, 90),
    ({"last_active_at": "2026-11-01"}, 100),
    ({"last_active_at": "soon"}, 90),
    ({"last_active_at": "2027-01-01"}, 90),
    (dict.fromkeys(("email", "first_name", "last_name", "avatar", "engagement_score", "last_active_at")), 40),
]


def test_data_quality_scoring(processor: CustomerDataProcessor) -> None:
    """Each missing field, and each supplied one that cannot be used, costs 10 points of 100."""
    clean = processor.process_customers([{**GEORGE, **change, "id": id_} for id_, (change, _) in enumerate(SCORES)])
    assert {each["customer_id"]: each["data_quality_score"] for each in clean} == {
        id_: score for id_, (_, score) in enumerate(SCORES)
    }


def test_edge_cases(processor: CustomerDataProcessor, as_of: datetime) -> None:
    """Every listed edge case gives what the plain-Python reference gives; what has no usable id is rejected."""
    records = each_edge_case()
    clean = processor.process_customers(records)
    assert clean == cleaned(records, seed=0, as_of=as_of)
    usable = [customer_id for customer_id in map(parse_id, records) if customer_id is not None]
    assert len(clean) == len(set(usable))
    assert len(processor.rejected) == len(records) - len(usable)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records=st.lists(any_record, max_size=25), seed=st.integers(0, 2**70))
@pytest.mark.parametrize("options", MAPPINGS, ids=["by default", "by another mapping"])
@pytest.mark.parametrize("engine", ["duckdb", "polars"], indirect=True)
def test_any_records(engine: Engine, options: dict[str, Any], as_of: datetime, records: list[Any], seed: int) -> None:
    """Whatever comes, the engines answer as the plain-Python reference does."""
    mapping = RecordMapping.model_validate(options)
    processor = CustomerDataProcessor(seed=seed, as_of=as_of, engine=engine, mapping=mapping)
    assert processor.process_customers(records) == cleaned(records, seed=seed, as_of=as_of, options=options)


@pytest.fixture(scope="session")
def thousands(as_of: datetime) -> tuple[list[Any], bytes]:
    """Dirty records, and the bytes of what they come to: more than fit in one vector of DuckDB, of 2,048 rows."""
    records = [*each_edge_case(), *dirty_records(3_000, seed=7)]
    return records, json.dumps(cleaned(records, seed=7, as_of=as_of)).encode()


def test_thousands_of_dirty_records(engine: Engine, as_of: datetime, thousands: tuple[list[Any], bytes]) -> None:
    """The bytes are the same on every engine."""
    records, expected = thousands
    processor = CustomerDataProcessor(seed=7, as_of=as_of, engine=engine)
    assert json.dumps(processor.process_customers(records)).encode() == expected


def test_same_call_same_answer(processor: CustomerDataProcessor) -> None:
    """Processing again gives the same records."""
    records = dirty_records(200, seed=1)
    assert processor.process_customers(records) == processor.process_customers(records)


@pytest.mark.smoke
def test_seed_chooses_generated_values(as_of: datetime) -> None:
    """Another seed gives other generated values, and leaves the customer's own as they are."""
    records = [{**GEORGE, "id": n} for n in range(100)]
    ours, others = (CustomerDataProcessor(seed=s, as_of=as_of).process_customers(records) for s in (1, 2))
    assert ours != others
    assert [c["full_name"] for c in ours] == [c["full_name"] for c in others]


def test_frames(processor: CustomerDataProcessor) -> None:
    """A frame of the raw lake comes out as a lazy frame of the same customers."""
    records = dirty_records(100, seed=9)
    batch, _ = landed_objects(records)
    raw = processor.engine.from_arrow(pa.Table.from_batches([batch]))
    clean = [row for piece in processor.engine.batches(processor.process(raw)) for row in piece.to_pylist()]
    assert sorted(clean, key=itemgetter("customer_id")) == sorted(
        processor.process_customers(records), key=itemgetter("customer_id")
    )


def test_chunks_change_nothing(processor: CustomerDataProcessor) -> None:
    """The same records landed as one page or as ten come out the same."""
    records = dirty_records(1_000, seed=10)
    pages = [landed_objects(records[n : n + 100], page=n)[0] for n in range(0, 1_000, 100)]
    raw = processor.engine.from_arrow(pa.Table.from_batches(pages[::-1]))
    clean = [row for piece in processor.engine.batches(processor.process(raw)) for row in piece.to_pylist()]
    assert sorted(clean, key=itemgetter("customer_id")) == sorted(
        processor.process_customers(records), key=itemgetter("customer_id")
    )


def test_nothing(processor: CustomerDataProcessor) -> None:
    """No records give no customers."""
    assert processor.process_customers([]) == []
    assert not processor.rejected


@pytest.mark.parametrize(
    ("argument", "given"), [("engine", {"engine": "duck"}), ("memory_limit", {"memory_limit": "a lot"})]
)
def test_an_error_names_the_argument(argument: str, given: dict[str, Any]) -> None:
    """Whoever calls it from Python knows no environment variable."""
    with pytest.raises(ConfigurationError, match=f"^{argument}: "):
        CustomerDataProcessor(**given).process_customers([{"id": 1}])


@pytest.mark.parametrize("engine_name", ["duckdb", "polars"])
def test_an_instant_without_a_time_zone_is_refused(engine_name: str) -> None:
    """On every engine, before anything is cleaned; one in another zone is an instant."""
    naive = datetime(2026, 1, 31, 12)  # noqa: DTZ001 - the mistake
    with pytest.raises(ConfigurationError, match=r"^as_of: 2026-01-31T12:00:00 has no time zone.*tzinfo=UTC"):
        CustomerDataProcessor(as_of=naive, engine=engine_name)
    zoned = naive.replace(tzinfo=timezone(timedelta(hours=1)))
    assert CustomerDataProcessor(as_of=zoned, engine=engine_name).process_customers([GEORGE])


@pytest.mark.smoke
def test_rejected_records_are_kept(as_of: datetime) -> None:
    """What could not be used is there to be read, with its place and reason; the next call forgets it."""
    processor = CustomerDataProcessor(as_of=as_of)
    processor.process_customers([GEORGE, {"id": None, "email": "x"}])
    (rejected,) = processor.rejected
    assert (rejected.position, rejected.reason_code, rejected.record) == (1, "id_missing", '{"id": null, "email": "x"}')
    processor.process_customers([GEORGE])
    assert not processor.rejected


@pytest.mark.smoke
def test_clock_is_asked_at_each_call() -> None:
    """Without a fixed instant, activity is judged from the moment of the call."""
    now = iter([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)])
    processor = CustomerDataProcessor(clock=lambda: next(now))
    record = {**GEORGE, "last_active_at": "2025-12-31"}
    statuses = [processor.process_customers([record])[0]["activity_status"] for _ in range(2)]
    assert statuses == ["active", "inactive"]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param("text", id="text"),
        pytest.param(b"[]", id="bytes"),
        pytest.param({"id": 1}, id="a mapping"),
        pytest.param(pa.table({"id": [1]}), id="an Arrow table"),
        pytest.param(pl.DataFrame({"id": [1]}), id="a Polars frame"),
        pytest.param(pl.LazyFrame({"id": [1]}), id="a lazy frame"),
        pytest.param(pl.Series([1]), id="a series"),
        pytest.param(pa.record_batch({"id": [1]}), id="a batch"),
        pytest.param(pa.array([{"id": 1}]), id="an Arrow array"),
        pytest.param(memoryview(b"[]"), id="memory"),
        pytest.param(nw.from_native(pl.LazyFrame({"id": [1]})), id="a narwhals frame"),
        pytest.param(7, id="a number"),
        pytest.param(None, id="nothing"),
    ],
)
def test_what_is_not_a_list_of_records_is_refused(as_of: datetime, records: Any) -> None:
    """A text or a frame is iterable, too, and none of its parts is a record."""
    with pytest.raises(TypeError):
        CustomerDataProcessor(as_of=as_of).process_customers(records)


@pytest.mark.parametrize(
    ("name", "value"), [("as_of", "2026-01-31T00:00:00Z"), ("as_of", 0), ("mapping", {"id": "id"})]
)
def test_an_argument_of_another_type_is_named(name: str, value: Any) -> None:
    """It says what the argument takes."""
    with pytest.raises(TypeError, match=f"^{name} takes a .*, not {type(value).__name__}"):
        CustomerDataProcessor(**{name: value})


def test_any_iterable_of_records_will_do(as_of: datetime) -> None:
    """A generator, a tuple."""
    processor = CustomerDataProcessor(as_of=as_of)
    assert processor.process_customers(iter([GEORGE])) == processor.process_customers((GEORGE,))


def test_rejected_records_are_warned_of_once(as_of: datetime, caplog: pytest.LogCaptureFixture) -> None:
    """By reason, with what to do, and without what was in them."""
    records = [GEORGE, {"id": "cus_1"}, {"id": "cus_2"}, {"email": "secret@x.org"}]
    CustomerDataProcessor(as_of=as_of).process_customers(records)
    (warning,) = caplog.messages
    assert warning.startswith("3 records were rejected. 2 id_not_an_integer: ")
    assert "set id_type: text. 1 id_missing: The record has no id." in warning
    assert not {"cus_1", "secret"} & {*warning.replace("@", " ").split()}
    caplog.clear()
    CustomerDataProcessor(as_of=as_of).process_customers([GEORGE])
    assert not caplog.messages


def test_a_raw_table_of_another_mapping_is_refused(as_of: datetime) -> None:
    """With the column that it lacks, before anything is computed."""
    processor = CustomerDataProcessor(as_of=as_of, mapping=RecordMapping.model_validate({"fields": {"country": {}}}))
    raw = processor.engine.from_arrow(pa.Table.from_batches([landed_objects([GEORGE])[0]]))
    with pytest.raises(ConfigurationError, match=r"no column country.*Materialise raw_customers"):
        processor.process(raw)
