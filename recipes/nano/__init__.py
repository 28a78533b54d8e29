"""How nano is made: data, training, evaluation and packing."""
