"""Training of nets: the fit with skorch, its data, batched inference, what estimators share."""
