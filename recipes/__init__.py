"""Recipes that make what the product ships."""
