"""Contenders of the cleaning benchmark. Each module's `clean` reads the raw lake and writes one Parquet file.

The constants are the rules that all of them apply.
"""

import hashlib
from datetime import UTC, datetime, timedelta

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
ACTIVE_FROM, PAST_UNTIL = AS_OF - timedelta(days=90), AS_OF + timedelta(minutes=5)
PRIME = 1_073_741_789
_DIGEST = hashlib.sha256(b"customer_assets 0").digest()
SHIFTS = tuple(int.from_bytes(_DIGEST[n : n + 8]) % PRIME for n in (0, 8))
WELL_FORMED = r"^[^@]+@[^@. ]+(\.[^@. ]+)+$"
