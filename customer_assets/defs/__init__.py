"""The Dagster definitions: assets, checks, resources, the IO manager and the job. Wiring only; it decides nothing."""
