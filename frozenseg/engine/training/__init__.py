"""Training: the loop, hooks, optimizer, precision, bad steps and metric writers."""
