"""Class pictures of a new run: where they come from, what that costs, how they balance. No widgets."""
