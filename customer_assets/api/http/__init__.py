"""How requests are sent: one HTTP library a file, all behind the same interface."""
