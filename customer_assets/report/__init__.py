"""The summary report: figures about clean customers, as JSON, HTML and Markdown."""
