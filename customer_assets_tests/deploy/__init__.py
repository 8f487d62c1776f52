"""Tests of what `deploy/` holds, by running just that."""
