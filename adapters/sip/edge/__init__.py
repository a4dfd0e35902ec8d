"""Sockets on the asyncio loop. The only package of the adapter that may wait."""
