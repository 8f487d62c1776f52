"""How requests authenticate. What else a request holds belongs in `runner/endpoint.py`."""
