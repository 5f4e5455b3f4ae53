"""What a checkpoint remembers of settings, pictures and model, and how today's differ from it. No torch."""
