"""Slurm's accounting: jobs read from sacct, taken into the database, and held beside what was tracked."""
