"""The decoder's step as machine code of our own, where a C compiler made it at installation."""
