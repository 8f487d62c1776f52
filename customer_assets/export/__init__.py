"""Frames to what people read: the export and the summary report."""

from customer_assets.export.exporter import DataExporter, ExportFigures, InvalidCustomerError

__all__ = ["DataExporter", "ExportFigures", "InvalidCustomerError"]
