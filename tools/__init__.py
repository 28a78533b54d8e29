"""Commands for those who work on the product; none of them is installed with it."""
