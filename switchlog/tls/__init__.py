"""The TLS contexts of the listeners, and the certificate of the first start."""
