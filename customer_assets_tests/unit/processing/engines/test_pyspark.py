"""A local Spark."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_assets_tests.harness.machines.services import need, need_module

FAIL_ON_A_VALUE = """
import sys
from customer_assets.processing.engines import open_engine

session = open_engine("pyspark").session
session.read.parquet(sys.argv[1]).createOrReplaceTempView("customers")
for query in ("select cast(email as int) from values ('canary-person') t(email)",
              "select sum(cast(email as int)) from customers"):
    try:
        session.sql(query).collect()
    except Exception as error:
        print("raised", "canary" in str(error))
"""


@pytest.mark.service
def test_what_a_query_fails_on_is_not_logged(tmp_path: Path) -> None:
    """Neither PySpark nor the JVM behind it quotes the value: the error arrives as an exception, and we withhold it."""
    need("java", "openjdk-17-jre-headless")
    need_module("pyspark", "pip install 'customer_assets[spark]'")
    pq.write_table(pa.table({"email": ["canary-person"] * 10}), tmp_path / "customers.parquet")
    command = [sys.executable, "-c", FAIL_ON_A_VALUE, str(tmp_path / "customers.parquet")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.stdout.splitlines() == ["raised True", "raised True"], ran.stderr
    assert "canary" not in ran.stderr
