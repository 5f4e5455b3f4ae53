"""dbtui: what a person sees of DreamBooth training: command line, dashboard, presets."""

__version__ = "0.1.0"
