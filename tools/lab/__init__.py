"""Research code outside the installed package: parity, pretraining, ablation, metric timing."""
