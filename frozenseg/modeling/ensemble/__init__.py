"""In-vocabulary knowledge of the decoder and out-of-vocabulary knowledge of the frozen models, combined at test."""
