"""Films of the classifier and of the embedder are read, and refused, alike."""

import numpy as np
import pandas as pd
import pytest

from skosteo import ImageOsteoClassifier, RadiographEmbedder
from skosteo.exceptions import DicomError, InputError
from tests.small_models import small_embedder, small_image


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ("resnet50", 224), ("inception_v3", 299), ("efficientnet_lite1", 240),
        ("efficientnet_lite2", 260), ("vit_small_patch14_dinov2", 224),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [ImageOsteoClassifier, RadiographEmbedder])
def test_films_have_the_size_that_the_backbone_was_built_for(kind, backbone, size):
    assert kind(backbone=backbone)._reader().size == size
    assert kind(backbone=backbone, image_size=128)._reader().size == 128


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"age": [60.0, 70.0], "bmi": [22.0, 30.0]}),
        pd.DataFrame({"picture": ["a.png", "b.png"]}),
        pd.DataFrame({"image": ["gone.png", "lost.png"]}),
        pd.DataFrame({"image": ["gone.png", None]}),
        pd.DataFrame({"image": [1.0, 2.0]}),
        np.zeros((2, 5, 8, 8)),
        np.zeros((2, 8, 8), dtype=np.uint8),
    ],
    ids=["no column", "other column", "no files", "missing", "numbers", "channels", "black"],
)
def test_what_is_no_film_is_refused_as_by_the_classifier(X):
    said = []
    for estimator in (small_embedder(), small_image(early_stopping=False, batch_size=2)):
        with pytest.raises((InputError, DicomError)) as caught:
            estimator.fit(X, [0, 1])
        said.append((type(caught.value), str(caught.value)))
    assert said[0] == said[1]
