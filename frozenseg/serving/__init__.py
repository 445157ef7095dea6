"""Server of a segmenter: a page for the browser, and an API that programs and labelling tools call."""
