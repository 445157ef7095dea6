"""Files of predictions, written by any program, against files of ground truth; no data set needs to be known."""
