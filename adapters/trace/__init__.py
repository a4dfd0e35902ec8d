"""SIP messages as seen on the wire, for people who look for a fault: kept for a while on disk, sent to a collector."""
