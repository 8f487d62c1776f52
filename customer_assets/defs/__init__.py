"""What Dagster loads: assets, checks, jobs, resources and the IO manager. Wiring only; it decides nothing."""
