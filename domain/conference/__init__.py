"""Conferences: who is in a room, who may be, and who hears whom."""
