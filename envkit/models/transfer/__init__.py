"""Bytes from somewhere else: one location → one file on this machine, hashed while it arrives."""
