"""The live view of a run: events are folded to a state, the state is drawn with Rich."""
