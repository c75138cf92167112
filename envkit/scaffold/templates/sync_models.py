# The same as `envkit models sync`, with the same options, for pipelines that call this script.
import sys

from envkit.cli import main

sys.exit(main(["--project", sys.path[0], "models", "sync", *sys.argv[1:]]))
