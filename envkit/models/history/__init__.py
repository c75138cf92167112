"""What became of every model over a project's commits, from Git alone.

``walk`` finds the commits that touched the registry or its lock, ``states`` reads both files there, ``timeline`` makes
of them what each version's life was, and ``carriers`` says which branches and tags have it. ``gather`` calls them.
"""
