"""What runs the system rather than the sync: executors, launcher, notifications, sensors and the deletion of old runs.

The only room that imports private Dagster modules. Each such import says why, and which public one would replace it.
"""
