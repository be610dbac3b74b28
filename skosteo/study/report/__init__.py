"""The report of a study: one HTML page, its figures, and the files beside it.

Everything here reads a `skosteo.study.Study`, passed as ``study``, and imports none. `content`
renders the templates, `checklists` fills TRIPOD+AI and CLAIM, `figures` draws, `saving` writes.
"""
