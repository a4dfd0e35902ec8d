"""The roles: what one process of an installation is, put together from the other rooms."""
