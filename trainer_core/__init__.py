"""trainer_core: everything that trains. Knows nothing of dbtui or of any screen."""

__version__ = "0.1.0"
