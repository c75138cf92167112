"""How the members of an archive are read and judged; `envkit.models.archive` is what others call."""
