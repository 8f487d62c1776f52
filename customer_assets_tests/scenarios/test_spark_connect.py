"""Spark Connect: the rules on a cluster that is only an address."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from customer_assets_tests.harness.machines.services import need, need_module
from customer_assets_tests.harness.records.dirty import dirty_records, each_edge_case
from customer_assets_tests.harness.records.reference import cleaned

PROJECT = Path(__file__).parents[2]
"""From where the process finds these tests, which are not installed."""

_PROGRAM = """
import json, sys
from datetime import datetime
from customer_assets.processing import CustomerDataProcessor
from customer_assets.processing.engines import open_engine
from customer_assets_tests.harness.records.dirty import dirty_records, each_edge_case

engine = open_engine("pyspark", spark="local[2]")  # an address at which Spark starts a Connect server of its own
processor = CustomerDataProcessor(as_of=datetime.fromisoformat(sys.argv[1]), engine=engine)
print(json.dumps(processor.process_customers([*each_edge_case(), *dirty_records(200, seed=4)])))
"""


@pytest.mark.service
def test_spark_connect(as_of: datetime, tmp_path: Path) -> None:
    """A Connect server answers as the plain-Python reference does. In a process of its own: Spark allows one kind."""
    need_module("pyspark", "pip install 'customer_assets[spark]'")
    need("java", "openjdk-17-jre-headless")
    command = [sys.executable, "-c", _PROGRAM, as_of.isoformat()]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=tmp_path, env=environment)
    expected = cleaned([*each_edge_case(), *dirty_records(200, seed=4)], seed=0, as_of=as_of)
    assert json.loads(done.stdout.splitlines()[-1]) == expected
