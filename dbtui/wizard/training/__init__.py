"""What the training step knows: its settings, how long a run is, which previews make sense. No widgets."""
