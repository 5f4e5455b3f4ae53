"""The tables of a configuration, one file per subject; each setting is declared here and nowhere else."""
