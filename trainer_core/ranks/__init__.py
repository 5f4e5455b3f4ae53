"""One run on several processes, a GPU each: how they start, and what they leave for each other. No torch."""
