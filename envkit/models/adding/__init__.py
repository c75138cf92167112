"""An entry of ``models.yaml``, made of what `envkit models add` is given."""
