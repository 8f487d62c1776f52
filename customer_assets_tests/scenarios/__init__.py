"""Tests of the promises: whole runs, real services, faults and hostile input."""
