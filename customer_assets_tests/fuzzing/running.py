"""Where a target meets the fuzzer: instrumentation, the corpus, the limit of time. Nothing here knows a target.

A target is a module whose `check` takes any bytes: it returns if the law holds for them and raises if not.
`python -m customer_assets_tests.fuzzing.dates -max_total_time=60` fuzzes one; see README.md beside this file.
"""

import importlib
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

Check = Callable[[bytes], None]

HERE = Path(__file__).parent
CORPUS, FINDINGS, WORDS = HERE / "corpus", HERE / "findings", HERE / "words"

INSTRUMENTED = ("customer_assets", "email._parseaddr", "email.utils")
"""What the fuzzer sees the inside of: the product, and the library's reader of dates that it relies on."""

PUMPED_BYTES = 64 * 1024
ONE_IN = 256
"""So many inputs are tried once more at a length of `PUMPED_BYTES`."""

FREE_S, PER_BYTE_S = 1.0, 40e-6
"""Seconds of processor time that any input may take. Generous, for machines that do much else: a quadratic target
whose step takes as little as 2 ns takes 8 s for `PUMPED_BYTES`, where 3.6 s are allowed."""


class TooSlowError(AssertionError):
    """An input took more time than its length allows."""


def timed(check: Check, data: bytes, clock_s: Callable[[], float] = time.process_time) -> None:
    """Check one input, and that it takes no more time than its length allows.

    Raises:
        TooSlowError: It takes more.
    """
    began_s = clock_s()
    check(data)
    taken_s, limit_s = clock_s() - began_s, FREE_S + PER_BYTE_S * len(data)
    if taken_s > limit_s:
        raise TooSlowError(f"{len(data)} bytes took {taken_s:.2f} s, {limit_s:.2f} s are allowed")


def pumped(data: bytes, choice: int) -> bytes:
    """Repeat a piece of an input until it is long, as what finds quadratic time does: `choice` picks the piece."""
    if not data:
        return b""
    first, length = choice % len(data), 1 + (choice >> 16) % 12
    piece = data[first : first + length]
    return data[:first] + piece * (PUMPED_BYTES // len(piece)) + data[first + length :]


def inputs(target: str) -> list[Path]:
    """The inputs kept for a target: its corpus, and every past finding."""
    return sorted(path for kept in (CORPUS, FINDINGS) for path in (kept / target).glob("*"))


def fuzz(check: Check, arguments: Sequence[str] = sys.argv) -> None:
    """Fuzz a target with libFuzzer's arguments; further arguments are folders, new inputs go to the first of them."""
    import atheris  # type: ignore[import-untyped] # noqa: PLC0415 - no part of the test suite needs it

    target = Path(sys.modules[check.__module__].__file__ or "").stem
    for name in [name for name in sys.modules if _is_imported_again(name)]:
        del sys.modules[name]  # so that the fuzzer puts its counters in
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        check = importlib.import_module(f"{__package__}.{target}").check

    check(b"")  # what is opened or imported once belongs to no input

    def one(data: bytes) -> None:
        timed(check, data)
        choice = zlib.crc32(data)
        if choice % ONE_IN == 0:
            timed(check, pumped(data, choice))

    options = [argument for argument in arguments[1:] if argument.startswith("-")]
    folders = [argument for argument in arguments[1:] if not argument.startswith("-")]
    words = [f"-dict={WORDS / target}.dict"] if (WORDS / f"{target}.dict").exists() else []
    folders = folders or [tempfile.mkdtemp(prefix=f"fuzz-{target}-")]
    kept = [str(kept / target) for kept in (CORPUS, FINDINGS) if (kept / target).exists()]
    again = f"{sys.executable} -m {__package__}.{target}"  # what libFuzzer runs to merge: it asks a shell
    atheris.Setup([again, *words, *options, *folders, *kept], one, enable_python_coverage=True)
    atheris.Fuzz()


def _is_imported_again(module: str) -> bool:
    """Whether a module is instrumented, or holds on to classes of one that is."""
    names = "|".join(map(re.escape, (*INSTRUMENTED, "customer_assets_tests")))
    return re.fullmatch(rf"({names})(\..*)?", module) is not None and module not in (__name__, __package__)
