"""Reference servers on real engines, and scripted ones for faults.

They speak the same wire protocols as the servers in use and share no code with the client, so that a mistake of
ours on one side is not cancelled out by the same mistake on the other.
"""
