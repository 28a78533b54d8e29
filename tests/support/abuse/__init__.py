"""What clients do to a server that mean no good, or have no luck; and what it must stand.

Each abuse is a function of the server and of a die; it raises AssertionError if the server's own
answers are wrong. :func:`tests.support.abuse.peace.unharmed` tells what is left of it afterwards.
"""
