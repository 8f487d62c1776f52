"""The crawl: decides what to request next. No clock, socket or random numbers."""
