"""Customer APIs on loopback, over real sockets."""
