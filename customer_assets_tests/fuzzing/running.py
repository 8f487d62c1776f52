"""Runs a fuzz target: instrumentation, corpus and time limit. What is specific to a target belongs in its own module.

A target is a module whose `check` takes any bytes, and raises if they break its law.
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
"""What is instrumented: the package, and the standard library's date parser that it relies on."""

PUMPED_BYTES = 64 * 1024
ONE_IN = 256
"""One input in this many is tried again at a length of `PUMPED_BYTES`."""

FREE_S, PER_BYTE_S = 1.0, 40e-6
"""Processor seconds that an input can take. Generous, for busy machines, and still too little for quadratic time: at
2 ns a step, `PUMPED_BYTES` would take 8 s where 3.6 s are allowed."""


class TooSlowError(AssertionError):
    """An input took longer than its length allows."""


def timed(check: Check, data: bytes, clock_s: Callable[[], float] = time.process_time) -> None:
    """Check one input and the time it takes.

    Raises:
        TooSlowError: It took longer than its length allows.
    """
    began_s = clock_s()
    check(data)
    taken_s, limit_s = clock_s() - began_s, FREE_S + PER_BYTE_S * len(data)
    if taken_s > limit_s:
        raise TooSlowError(f"{len(data)} bytes took {taken_s:.2f} s, {limit_s:.2f} s are allowed")


def pumped(data: bytes, choice: int) -> bytes:
    """Repeat a piece of an input until it is long, which reveals quadratic time. `choice` picks the piece."""
    if not data:
        return b""
    first, length = choice % len(data), 1 + (choice >> 16) % 12
    piece = data[first : first + length]
    return data[:first] + piece * (PUMPED_BYTES // len(piece)) + data[first + length :]


def inputs(target: str) -> list[Path]:
    """List the inputs kept for a target: its corpus and every past finding."""
    return sorted(path for kept in (CORPUS, FINDINGS) for path in (kept / target).glob("*"))


def fuzz(check: Check, arguments: Sequence[str] = sys.argv) -> None:
    """Fuzz a target. Options go to libFuzzer; other arguments are corpus folders: the first gets new inputs."""
    import atheris  # type: ignore[import-untyped] # noqa: PLC0415 - the test suite runs without it

    target = Path(sys.modules[check.__module__].__file__ or "").stem
    for name in [name for name in sys.modules if _is_imported_again(name)]:
        del sys.modules[name]  # imported again below, instrumented
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        check = importlib.import_module(f"{__package__}.{target}").check

    check(b"")  # what is opened or imported once is charged to no input

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
    again = f"{sys.executable} -m {__package__}.{target}"  # libFuzzer runs this in a shell to merge
    atheris.Setup([again, *words, *options, *folders, *kept], one, enable_python_coverage=True)
    atheris.Fuzz()


def _is_imported_again(module: str) -> bool:
    """Return whether a module is instrumented, or refers to classes of one that is."""
    names = "|".join(map(re.escape, (*INSTRUMENTED, "customer_assets_tests")))
    return re.fullmatch(rf"({names})(\..*)?", module) is not None and module not in (__name__, __package__)
