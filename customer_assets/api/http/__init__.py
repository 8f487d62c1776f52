"""HTTP transports, one library per file, all behind the protocol in `base.py`."""
