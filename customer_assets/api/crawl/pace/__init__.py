"""How fast and how hard: the policy, the limit as far as it is known, and when to stop for a while."""
