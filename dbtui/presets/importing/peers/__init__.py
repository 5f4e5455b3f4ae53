"""The options of other trainers, one table per trainer: option -> setting here, or why there is none."""
