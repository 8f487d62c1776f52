"""Tables of hostile input: responses, headers, records and settings, each with the outcome that it must have."""
