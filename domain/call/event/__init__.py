"""The events of a call beside those in its aggregate, by what they are about."""
