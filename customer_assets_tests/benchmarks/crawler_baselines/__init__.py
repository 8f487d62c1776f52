"""Contenders of the crawl benchmark, each a script. dlt's runs in a virtual environment of its own."""
