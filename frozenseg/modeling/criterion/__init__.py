"""Training criterion: matching of queries to targets, and the losses on the matched pairs."""
