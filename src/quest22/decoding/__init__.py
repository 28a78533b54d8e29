"""Which token may come next: suppression and the timestamp grammar, on logits of a batch."""
