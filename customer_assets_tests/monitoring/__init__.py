"""Tests of what others are told of a run."""
