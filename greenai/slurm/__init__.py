"""Batch jobs under Slurm: wrapped, collected on every node, merged, and reconciled with its accounting."""
