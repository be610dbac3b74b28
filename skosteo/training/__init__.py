"""Training of nets: the fit with skorch, its data, batched inference, what estimators share."""

from skosteo._extras import require

require("nets", "skosteo.training")
