"""Takes over what other trainers were started with: command lines, scripts and settings files."""
