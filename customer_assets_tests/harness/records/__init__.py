"""Customer records, what must become of them, and the engines that clean them."""
