"""Calls that sessions themselves answer: conferences, mailboxes and recordings, with the media that make them."""
