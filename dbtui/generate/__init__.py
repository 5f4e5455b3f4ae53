"""Pictures drawn with a trained model, by a process of trainer_core's own."""
