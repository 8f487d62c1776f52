"""Tests of one module each; folders and names mirror the package."""
