"""What a response means. Pure: how it came over the wire belongs in `http/`."""
