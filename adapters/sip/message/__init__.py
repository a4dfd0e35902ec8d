"""SIP messages: bytes to values and back. Knows no transactions, no dialogs, no policy."""
