"""Models: what a file is, load, save, convert, tokenizer; one module per family."""
