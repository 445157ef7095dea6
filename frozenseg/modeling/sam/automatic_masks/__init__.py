"""SAM proposals: automatic mask generation (Kirillov et al. 2023, section 5 and appendix B), its settings and cache."""
