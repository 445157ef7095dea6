"""SAM proposals: automatic mask generation, its settings and cache (paper of SAM, sec. 5 and appendix B)."""
