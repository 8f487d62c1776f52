"""Measures how easily the package is read and changed, on any checkout: rooms, circles, private imports, ravioli.

    python -m customer_assets_tests.benchmarks.house [--tree DIR] [--list]

`--list` names what was counted. Nothing of the checkout is imported here, and its files need not be installed: they are
parsed, and one crawl runs in a process of its own (`one_page.py`). `scenarios/test_house.py` holds the figures that can
be counted from files.
"""

import argparse
import ast
import io
import json
import os
import re
import subprocess
import sys
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PACKAGE = "customer_assets"
SHORT_LINES = 4
PRIVATE_IMPORT = re.compile(r"dagster(\.\w+)*\._|dagster_shared(\.|$)")
TELLING = re.compile(r"(?<![A-Za-z])(tell|tells|told)(?![A-Za-z])", re.IGNORECASE)
"""The words on their own and as parts of `told_to_dagster`; not `retell`."""

Edges = Mapping[str, set[str]]


@dataclass(frozen=True)
class Module:
    """One file of Python.

    Attributes:
        name: Its dotted name; a package's own name for its `__init__.py`.
        path: Where it is, below the tree.
        text: Its source.
    """

    name: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """The package that it lies in, or is."""
        return self.name if self.path.endswith("/__init__.py") else self.name.rpartition(".")[0]


def read_modules(tree: Path) -> list[Module]:
    """Read every module of the package in a checkout."""
    modules = []
    for file in sorted((tree / PACKAGE).rglob("*.py")):
        path = file.relative_to(tree)
        parts = path.with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(name, path.as_posix(), file.read_text(encoding="utf-8")))
    return modules


def read_layers(tree: Path) -> list[set[str]]:
    """Read the order of rooms from import-linter's contract, highest first."""
    settings = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["type"] == "layers" and each["containers"] == [PACKAGE])
    return [set(re.split(r"[ |:]+", layer)) for layer in layers]


def list_files(tree: Path) -> list[str]:
    """List the package's files in a checkout, compiled ones apart."""
    files = (file for file in (tree / PACKAGE).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return sorted(file.relative_to(tree).as_posix() for file in files)


def room_entries(paths: Iterable[str]) -> Counter[str]:
    """Count files and folders in each folder; what Python itself asks for is no entry to read."""
    entries = {tuple(path.split("/")[:depth]) for path in paths for depth in range(2, path.count("/") + 2)}
    return Counter(
        "/".join(entry[:-1]) for entry in entries if entry[-1] not in {"__init__.py", "__main__.py", "py.typed"}
    )


def imports(modules: Sequence[Module]) -> Edges:
    """Find which modules each module imports, at the top or inside a function."""
    names = {module.name for module in modules}
    return {module.name: set(_imported(module.tree, names)) - {module.name} for module in modules}


def _imported(tree: ast.Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in names else node.module


def imports_by_name(modules: Sequence[Module]) -> Edges:
    """Find which modules each module loads by a literal name, as `import_module` does."""
    names = {module.name for module in modules}
    literal = re.compile(r"import_module\(\s*\"([\w.]+)\"")
    return {module.name: set(literal.findall(module.text)) & names for module in modules}


def circles(modules: Sequence[Module]) -> list[set[str]]:
    """Find groups of modules that all lead back to themselves.

    A module loaded by its name closes a circle too if the circle leaves the room: inside a room, a module may look up
    its own implementations.
    """
    static, by_name = imports(modules), imports_by_name(modules)
    rooms = {module.name: module.room for module in modules}
    found = _strongly_connected(static)
    for group in _strongly_connected({name: static[name] | by_name[name] for name in static}):
        if len({rooms[name] for name in group}) > 1 and not any(each <= group for each in found):
            found.append(group)
    return found


def _strongly_connected(edges: Edges) -> list[set[str]]:
    reached = {name: _reachable(edges, name) for name in edges}
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in edges}
    return [set(group) for group in groups if group]


def _reachable(edges: Edges, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for name in edges.get(ahead.pop(), set()) - seen:
            seen.add(name)
            ahead.append(name)
    return seen


def upward_arrows(modules: Sequence[Module], layers: Sequence[set[str]]) -> list[tuple[str, str]]:
    """Find imports against the order of rooms, and those of a front door by the sub-room that it stands on."""
    edges = imports(modules)
    rooms = {module.name: module.room for module in modules}
    levels = {f"{PACKAGE}.{room}": level for level, layer in enumerate(layers) for room in layer}
    return [
        (name, target)
        for name in edges
        for target in sorted(edges[name])
        if _is_against_layers(name, target, levels) or _is_front_door(rooms[name], rooms[target], target, edges)
    ]


def _is_against_layers(name: str, target: str, levels: Mapping[str, int]) -> bool:
    first, second = (".".join(each.split(".")[:2]) for each in (name, target))
    return first != second and first in levels and second in levels and levels[first] >= levels[second]


def _is_front_door(room: str, outer: str, target: str, edges: Edges) -> bool:
    if not (room.startswith(f"{outer}.") and outer != PACKAGE):
        return False
    return any(f"{name}.".startswith(f"{room}.") for name in _reachable(edges, target))


def ravioli(modules: Sequence[Module]) -> list[str]:
    """Find private functions of at most four lines that are named in one place only.

    A function that is handed over instead of called counts, too: a validator, a thread's target, what a cache wraps.
    These need their `def`, so the figure cannot reach zero.
    """
    uses = Counter(name for module in modules for name in _names(module.tree))
    return [
        f"{module.path}:{node.lineno} {node.name}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and re.match(r"_[^_]", node.name)
        and uses[node.name] == 1
        and _body_lines(node) <= SHORT_LINES
    ]


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def telling(modules: Sequence[Module]) -> list[str]:
    """Find each "tell", "tells" and "told"."""
    return [
        f"{module.path}:{number} {line.strip()}"
        for module in modules
        for number, line in enumerate(module.text.splitlines(), 1)
        for _ in TELLING.findall(line)
    ]


def private_dagster_imports(modules: Sequence[Module]) -> list[str]:
    """Find imports of what Dagster keeps to itself."""
    return [
        f"{module.path}:{line} {name}"
        for module in modules
        for line, name in _imported_names(module.tree)
        if PRIVATE_IMPORT.match(name)
    ]


def _imported_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def comment_share(modules: Sequence[Module]) -> float:
    """Divide lines that hold only a comment by lines of code. Docstrings and blank lines are neither."""
    comments, code = 0, 0
    for module in modules:
        own, others = _comment_and_code_lines(module.text)
        comments, code = comments + own, code + others
    return comments / max(code, 1)


def _comment_and_code_lines(text: str) -> tuple[int, int]:
    comments, code = set[int](), set[int]()
    layout = {tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    previous = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        lines = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comments.update(lines)
        elif token.type not in layout and not (token.type == tokenize.STRING and previous in layout):
            code.update(lines)
        if token.type not in {tokenize.COMMENT, tokenize.NL}:
            previous = token.type
    return len(comments - code), len(code)


def follow_one_page(tree: Path) -> dict[str, list[str]]:
    """Run a crawl of the checkout over loopback; name the frames down to the socket and the files a page visits."""
    command = [sys.executable, "-P", str(HERE / "one_page.py")]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMER_")}
    done = subprocess.run(
        command, cwd=tree, env={**environ, "PYTHONPATH": str(tree)}, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(tree: Path) -> dict[str, Any]:
    """Measure a checkout: a number, or a list of what was counted, by figure."""
    modules = read_modules(tree)
    rooms = room_entries(list_files(tree))
    private = private_dagster_imports(modules)
    page = follow_one_page(tree)
    return {
        "entries in the fullest room": [f"{entries} {room}" for room, entries in rooms.most_common(5)],
        "circles between files": [" ".join(sorted(group)) for group in circles(modules)],
        "arrows that run upwards": [" -> ".join(arrow) for arrow in upward_arrows(modules, read_layers(tree))],
        "frames from client.crawl to the socket": page["frames"],
        "files that one good page visits": page["files"],
        f"private functions with one caller and at most {SHORT_LINES} lines": ravioli(modules),
        '"tell", "tells", "told"': telling(modules),
        "imports of private Dagster modules": private,
        "  of them outside defs/operations": [each for each in private if "/defs/operations/" not in each],
        "comment lines per line of code": round(comment_share(modules), 4),
    }


def main() -> None:
    """Measure a checkout and print its figures."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--tree", type=Path, default=PROJECT, help="the checkout; this one by default")
    command.add_argument("--list", action="store_true", help="name what was counted")
    args = command.parse_args()
    for name, found in measure(args.tree.resolve()).items():
        counted = name.startswith("entries")
        figure = found[0] if counted else len(found) if isinstance(found, list) else found
        print(f"{name:60} {figure}")
        if args.list and isinstance(found, list):
            print("".join(f"    {each}\n" for each in found), end="")


if __name__ == "__main__":
    main()
