"""Windows cut at pauses; doubtful ones are decoded again, and no speech stays without text."""
