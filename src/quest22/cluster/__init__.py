"""One run over many machines: units of work, leases on them, and workers that share nothing else.

Workers agree through a :class:`quest22.cluster.ledger.Ledger` alone; any launcher may start them.
"""
