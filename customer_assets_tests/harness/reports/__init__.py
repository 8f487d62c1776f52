"""Run reports and summary reports to test with."""
