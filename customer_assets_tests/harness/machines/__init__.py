"""Redis, PostgreSQL, Dagster's services, a browser, and the project's programs as processes."""
