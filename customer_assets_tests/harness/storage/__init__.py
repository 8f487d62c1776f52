"""File operations that fail, kill or wait, and syncs small enough to repeat at each of them."""
