"""The dataset: folders, captions, balance, buckets, pictures, caches, batches."""
