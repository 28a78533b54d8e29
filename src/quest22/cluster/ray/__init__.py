"""Ray as a launcher: workers and, where needed, the ledger as actors of a Ray cluster.

Ray starts processes and tells when they die. Which worker does which unit, and what is published,
is decided by the ledger as everywhere else, so nothing here needs to be right for results to be.
"""
