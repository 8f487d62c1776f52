"""Frames to what people read: the export and the summary report."""
