"""Lists the presets (`python -m customer_assets.apis`), or shows one in detail (`… stripe`)."""

import argparse
import sys

from customer_assets.apis import Preset, load_preset, preset_names
from customer_assets.core.errors import ConfigurationError

NOT_TRIED = "Made from the vendors' documents and open-source clients; none was tried on the live API."


def main(arguments: list[str] | None = None) -> int:
    """Print what presets can do; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m customer_assets.apis", description="Known customer APIs.")
    parser.add_argument("preset", nargs="?", help="show this one in detail")
    name = parser.parse_args(arguments).preset
    try:
        print(describe(name, load_preset(name)) if name else table())  # noqa: T201 - a command prints
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return 0


def table() -> str:
    """All presets, a line each."""
    rows = [("preset", "API", "pages", "total", "incremental", "deletions")]
    rows += [(name, *capabilities(load_preset(name))) for name in preset_names()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join([*lines, "", NOT_TRIED])


def capabilities(preset: Preset) -> tuple[str, str, str, str, str]:
    """Its API, how it pages, whether it counts, whether it can say what changed, and how deletions show."""
    answer = preset.api["answer"]
    total = "no" if answer.get("total") is None else answer.get("total_is", "yes")
    incremental = "yes" if "incremental" in preset.api else "no"
    return preset.about.name, preset.api["pages"]["type"], total, incremental, preset.about.deletions


def describe(name: str, preset: Preset) -> str:
    """One preset: what it can do, and what to set."""
    api, pages, total, incremental, deletions = capabilities(preset)
    lines = [
        f"{api}: {preset.api['base_url']}{preset.api['path']}",
        f"pages: {pages}; total: {total}; incremental: {incremental}; deletions: {deletions}",
        "",
        f"CUSTOMER_API_PRESET={name}",
    ]
    about = preset.about
    if about.values:
        values = ",".join(f"{value}=…" for value in about.values)
        lines.append(f"CUSTOMER_API_PRESET_VALUES={values}")
        lines += [f"    {value}: {words}" for value, words in about.values.items()]
    lines += [f"{variable}=…  {words}" for variable, words in about.secrets.items()]
    return "\n".join([*lines, *([about.note] if about.note else []), "", NOT_TRIED])


if __name__ == "__main__":
    sys.exit(main())
