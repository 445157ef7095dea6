"""Which query answers for which target, and what its answer costs."""
