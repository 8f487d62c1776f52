"""What `dg scaffold defs` writes: a YAML that works at once, with everything else in comments."""

from importlib.resources import files
from typing import Any

import dagster as dg
from dagster.components.component_scaffolding import scaffold_component

TEMPLATE = "customer_sync.yaml"


class CustomerSyncScaffolder(dg.Scaffolder):
    """Writes a sync of the embedded simulator, named after its folder."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write the YAML, or Dagster's own Python form."""
        if request.scaffold_format == "python":
            scaffold_component(request)
            return
        template = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
        folder = request.target_path.name
        name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in folder)
        name = name if name[:1].isalpha() else f"sync_{name}"  # `my-sync` → `my_sync`, `2nd` → `sync_2nd`
        text = template.replace("{type}", request.type_name).replace("{name}", name)
        if request.append:
            with request.target_path.open("a", encoding="utf-8") as file:
                file.write(f"---\n{text}")
        else:
            (request.target_path / "defs.yaml").write_text(text, encoding="utf-8")
