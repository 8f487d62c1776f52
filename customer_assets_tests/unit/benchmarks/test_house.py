"""The house's figures, on sources small enough to count by eye."""

from pathlib import Path

import pytest

from customer_assets_tests.benchmarks import house
from customer_assets_tests.benchmarks.house import Module

MOST_FRAMES = 10
"""Between `client.crawl` and the socket. Each is a file that whoever looks for a fault has to open."""

A, B, C = (f"from customer_assets.{name} import x" for name in "abc")


def _modules(**sources: str) -> list[Module]:
    """Make the package's modules: `api__http__base` becomes `api/http/base.py`, and `api__http` its `__init__.py`."""
    packages = {name for name in sources if any(other.startswith(f"{name}__") for other in sources)}
    return [Module("customer_assets", "customer_assets/__init__.py", "")] + [
        Module(
            ".".join(("customer_assets", *parts)),
            "/".join(("customer_assets", *parts)) + ("/__init__.py" if name in packages else ".py"),
            text,
        )
        for name, text in sources.items()
        for parts in [name.split("__")]
    ]


def test_room_entries() -> None:
    paths = ["p/__init__.py", "p/py.typed", "p/a.py", "p/b/__init__.py", "p/b/c.py", "p/b/d.html"]
    assert house.room_entries(paths) == {"p": 2, "p/b": 2}


def test_an_import_of_a_name_is_one_of_its_module() -> None:
    modules = _modules(
        a="from customer_assets.b import Thing\nfrom customer_assets import c\nimport customer_assets.d, json",
        b="def later():\n    from customer_assets.c import late",
        c="",
        d="",
    )
    names = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": set()}
    assert house.imports(modules) == {"customer_assets": set()} | {
        f"customer_assets.{name}": {f"customer_assets.{each}" for each in found} for name, found in names.items()
    }


BY_NAME = 'import_module("customer_assets.{}")'


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param({"a": B, "b": C, "c": ""}, 0, id="none"),
        pytest.param({"a": B, "b": A}, 1, id="two files"),
        pytest.param({"a": B, "b": C, "c": A}, 1, id="three files"),
        pytest.param(
            {"r": "", "r__base": BY_NAME.format("r.redis"), "r__redis": "from customer_assets.r.base import Store"},
            0,
            id="a room looks up its implementations",
        ),
        pytest.param(
            {"options": "from customer_assets.r.base import x", "r": "", "r__base": BY_NAME.format("r.redis")}
            | {"r__redis": "from customer_assets.options import y"},
            1,
            id="by name, across rooms",
        ),
    ],
)
def test_circles(sources: dict[str, str], expected: int) -> None:
    assert len(house.circles(_modules(**sources))) == expected


LAYERS = [{"defs"}, {"api", "report"}, {"errors"}]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param({"defs": "from customer_assets.api import x", "api": ""}, [], id="downwards"),
        pytest.param({"errors": "from customer_assets.api import x", "api": ""}, [("errors", "api")], id="upwards"),
        pytest.param({"report": "from customer_assets.api import x", "api": ""}, [("report", "api")], id="sideways"),
        pytest.param(
            {"api": "", "api__page": "", "api__http": "", "api__http__base": "from customer_assets.api.page import x"},
            [],
            id="what the room shares",
        ),
        pytest.param(
            {"api": "", "api__client": "from customer_assets.api.http.base import x", "api__http": ""}
            | {"api__http__base": "", "api__http__aiohttp": "from customer_assets.api.client import y"},
            [("api.http.aiohttp", "api.client")],
            id="the front door",
        ),
    ],
)
def test_upward_arrows(sources: dict[str, str], expected: list[tuple[str, str]]) -> None:
    found = house.upward_arrows(_modules(**sources), LAYERS)
    assert found == [(f"customer_assets.{first}", f"customer_assets.{second}") for first, second in expected]


def test_ravioli_is_short_private_and_used_once() -> None:
    source = '''
def _short():
    """Its docstring

    does not count.
    """
    a = 1
    b = 2
    c = 3
    return a + b + c

def _long():
    a = 1
    b = 2
    c = 3
    d = 4
    return a + b + c + d

def _shared():
    return 1

def public():
    return _short() + _long() + _shared() + _shared()

class _Holder:
    def __init__(self):
        self.value = self._method()

    def _method(self):
        return 1
'''
    assert house.ravioli(_modules(a=source)) == [
        "customer_assets/a.py:2 _short",
        "customer_assets/a.py:29 _method",
    ]


def test_telling_is_found_in_names_and_sentences() -> None:
    source = '"""Tell what was told."""\ntold_to_dagster = 1\nretell = 2\ntelling = 3\n_told = 4'
    assert [found.partition(" ")[0].rpartition(":")[2] for found in house.telling(_modules(a=source))] == list("1125")


def test_private_dagster_imports() -> None:
    source = """
import dagster as dg
import dagster._core.events
from dagster._core.errors import DagsterError
from dagster_shared.error import Info
from dagster_celery import app
def late():
    from dagster.components._impl import x
"""
    assert [found.split(" ")[1] for found in house.private_dagster_imports(_modules(a=source))] == [
        "dagster._core.events",
        "dagster._core.errors",
        "dagster_shared.error",
        "dagster.components._impl",
    ]


def test_comment_share_counts_whole_lines() -> None:
    source = '''"""A docstring
# of three lines
is no code."""

# why
a = 1  # beside
b = (
    # inside
    "text",
)
'''
    assert house.comment_share(_modules(a=source)) == 2 / 4
    assert house.comment_share(_modules(a="")) == 0


def test_a_good_page_is_followed_to_the_socket() -> None:
    """The crawl runs for real, in a process of its own."""
    found = house.follow_one_page(house.PROJECT)
    assert found["frames"][0] == "api/client.py:crawl"
    assert "api/responses/parser.py" in found["files"]
    assert len(found["frames"]) <= MOST_FRAMES
    assert all((house.PROJECT / house.PACKAGE / file).is_file() for file in found["files"])


def test_modules_are_named_as_they_are_imported(tmp_path: Path) -> None:
    room = tmp_path / "customer_assets" / "api"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("")
    (room / "client.py").write_text("a = 1\n")
    found = [(module.name, module.room) for module in house.read_modules(tmp_path)]
    assert found == [
        ("customer_assets.api", "customer_assets.api"),
        ("customer_assets.api.client", "customer_assets.api"),
    ]
