"""What the screens know of models: where they lie, which were used, what they are."""
