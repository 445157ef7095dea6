"""What the benchmark of the metrics compares with, and what it shows them."""
