"""What ``envkit init`` writes.

``files`` has which files there are to be, ``merge`` what becomes of one that is there, ``plan`` decides, and ``tree``
looks and writes. The texts are in ``templates/``.
"""
