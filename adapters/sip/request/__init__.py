"""What a message means in the words of the domain, and whether it may be served."""
