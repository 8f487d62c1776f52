"""What others hear of a run: metrics for Prometheus, alerts for a webhook, a summary for the log. No personal data."""
