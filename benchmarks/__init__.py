"""Speed and cost, printed as tables: ``make benchmark``. Nothing is asserted; machines are shared and noisy.

Where a rival does the same thing, it runs in the same minutes on the same machine, and the ratio is printed.
"""
