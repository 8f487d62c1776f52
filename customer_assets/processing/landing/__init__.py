"""How pages become the raw table and the quarantine."""
