"""The disk: where files are, and how they are written, published and locked. Knows nothing of customers."""
