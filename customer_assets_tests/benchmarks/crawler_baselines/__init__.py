"""Other people's crawlers, each a script of its own; dlt's runs in a virtual environment of its own."""
