"""The third party's REST API, read page by page: whole, politely and as fast as it allows."""
