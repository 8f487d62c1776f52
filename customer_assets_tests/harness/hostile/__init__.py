"""Tables of hostile input: answers, headers, records and settings."""
