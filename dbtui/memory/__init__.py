"""What a run needs of a card's memory, against what the card has."""
