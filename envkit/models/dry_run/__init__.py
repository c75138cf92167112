"""What sources say of their files, and what that proves."""
