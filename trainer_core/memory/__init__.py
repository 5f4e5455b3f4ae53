"""How much of the device's memory a run will need at most, in each of its phases, known before it starts.

`rehearsal.py` runs the trainer's own code on tensors without memory and counts (torch, half a minute). Its results
for the shipped presets and the wizard's choices are a table; `predict.py` answers from it at once, without torch.
"""
