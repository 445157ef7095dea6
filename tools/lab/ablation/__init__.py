"""Questions asked of a model by configs: trained and evaluated over seeds, set side by side."""
