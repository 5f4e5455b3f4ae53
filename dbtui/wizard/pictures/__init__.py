"""The pictures of a new run: what lies in a folder, small copies to show, captions, laying out. No widgets."""
