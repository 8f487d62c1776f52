"""Where pages are kept until their crawl is complete."""
