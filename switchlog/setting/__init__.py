"""The settings: what they are called, what is said of wrong ones, and what follows from them."""
