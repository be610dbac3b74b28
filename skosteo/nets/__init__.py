"""The torch modules of the image model."""

from skosteo._extras import require

require("nets", "skosteo.nets")
