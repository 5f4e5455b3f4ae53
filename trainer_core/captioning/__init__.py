"""Captions for a folder of pictures, written by a model: BLIP's sentences or a WD tagger's tags."""
