"""What others are told of a run, in figures and in words: Prometheus, a webhook, the terminal. No personal data."""
