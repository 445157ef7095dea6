"""Model zoo: the released models with their addresses, licences and published scores, in one table, ``models.yaml``."""
