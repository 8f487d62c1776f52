"""How requests authenticate. What else a request holds belongs in `endpoint.py`."""
