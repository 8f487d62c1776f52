"""APIs in virtual time, without sockets, and the laws that a crawl obeys."""
