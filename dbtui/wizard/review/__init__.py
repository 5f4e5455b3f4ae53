"""What the last step knows and does, without a screen: look at everything, write the run file, start the run."""
