"""LoRA (Hu et al. 2021, Low-Rank Adaptation): places, adapters, files, merging."""
