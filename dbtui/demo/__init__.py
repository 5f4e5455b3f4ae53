"""The demo: everything that a training needs, made on the spot, and what the training did to it."""
