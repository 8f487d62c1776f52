"""Runs a crawl: the loop, its clock, its reports and figures. What to request belongs in `crawl/`."""
