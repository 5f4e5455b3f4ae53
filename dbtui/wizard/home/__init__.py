"""What home is made of besides its screen: rows, words, and the parts that keep themselves fresh."""
