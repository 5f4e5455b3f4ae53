"""The sections of the page, one a file. Pure: what is known in, markup out."""
