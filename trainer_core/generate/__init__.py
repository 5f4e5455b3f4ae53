"""Trying a model: pictures drawn from prompts in a process of its own."""
