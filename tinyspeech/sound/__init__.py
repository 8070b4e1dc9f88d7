"""Sounds: recordings, their noise, the sets they come in."""
