"""A fork of a warm process is a new process, in all that a program can notice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from customer_assets_tests.harness.machines.warm_programs import WarmPrograms

SHOW = """
import json, os, sys, threading
print(json.dumps([
    sys.argv, sys.path[0], __name__, os.getcwd(), dict(os.environ), sys.stdin.read(), threading.active_count(),
    [name for name in sys.modules if name.startswith("customer_assets.")],
]))
print("an error", file=sys.stderr)
raise SystemExit(3)
"""


@pytest.mark.service
@pytest.mark.parametrize("is_script", [True, False], ids=["a script", "python -c"])
def test_a_program_sees_what_it_sees_in_a_new_process(
    tmp_path: Path, warm_programs: WarmPrograms, *, is_script: bool
) -> None:
    """It is run twice: nothing of the first time is left."""
    script = tmp_path / "bin" / "show"
    script.parent.mkdir()
    script.write_text(SHOW, encoding="utf-8")
    program: list[str | Path] = [script] if is_script else ["python", "-c", SHOW]
    env = {"LC_ALL": "C.UTF-8", "ONLY_HERE": "any"}
    started = [Path(sys.executable), *program[not is_script :], "an argument"]
    new = subprocess.run(
        started, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    for _ in range(2):
        warm = warm_programs.run([*program, "an argument"], cwd=tmp_path, env=env, timeout_s=60)
        assert json.loads(warm.stdout) == json.loads(new.stdout)
        assert (warm.returncode, warm.stderr) == (new.returncode, new.stderr) == (3, "an error\n")


@pytest.mark.service
def test_a_program_that_takes_too_long_is_killed(tmp_path: Path, warm_programs: WarmPrograms) -> None:
    """And the next one runs."""
    with pytest.raises(subprocess.TimeoutExpired):
        warm_programs.run(["python", "-c", "import time; time.sleep(60)"], cwd=tmp_path, env={}, timeout_s=0.1)
    assert warm_programs.run(["python", "-c", "print(1)"], cwd=tmp_path, env={}, timeout_s=60).stdout == "1\n"
