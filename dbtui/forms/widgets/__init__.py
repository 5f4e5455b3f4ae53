"""The widgets of a form: each edits the text of one setting."""
