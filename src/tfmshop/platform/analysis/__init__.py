"""What the database does, what slows it down, and what to change."""
