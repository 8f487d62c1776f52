"""Runs the system rather than the sync: notifications, retention, launchers, executors."""
