"""One file a family of data sets, each with a list ``SPECS``; the catalogs read this folder when first asked."""
