"""The summary report: the customers in figures, as JSON, HTML and Markdown. No personal data."""
