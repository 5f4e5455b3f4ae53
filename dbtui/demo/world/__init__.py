"""The drawn world: pictures of a few animals with captions, made by code, the same for the same seed."""
