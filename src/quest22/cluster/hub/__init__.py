"""Publishes what a cluster's workers have made as a dataset on the Hugging Face Hub."""
