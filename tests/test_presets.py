"""Recipes: configured estimators, and nothing else."""

import numpy as np
import pytest
from sklearn.base import clone

from skosteo import ImageOsteoClassifier
from skosteo.presets import paper_image_classifier, quick_image_classifier
from tests.small_models import write_films


@pytest.mark.parametrize("preset", [paper_image_classifier, quick_image_classifier])
def test_a_preset_is_an_estimator_whose_parameters_can_be_others(preset):
    model = preset(lr=0.5, random_state=3, cache_dir="folder")
    assert type(model) is ImageOsteoClassifier
    changed = {"lr": 0.5, "random_state": 3, "cache_dir": "folder"}
    assert model.get_params() == preset().get_params() | changed == clone(model).get_params()
    with pytest.raises(TypeError, match="learning_rate"):
        preset(learning_rate=1)


def test_the_recipe_of_the_paper():
    """Tang et al. 2025: batch size, learning rate, dropout, optimiser's pace, early stopping."""
    model = paper_image_classifier()
    assert (model.backbone, model.wavelet, model.soft_attention) == ("resnet50", True, True)
    assert (model.lr, model.batch_size, model.dropout) == (1e-5, 32, 0.25)
    assert (model.augmentation, model.early_stopping, model.max_epochs) == ("paper", True, 1000)


def test_the_quick_one_learns_without_internet(tmp_path):
    X, y, groups = write_films(tmp_path, n=60)
    model = quick_image_classifier(image_size=64, max_epochs=8, random_state=0)
    model.set_params(batch_size=16, cache_dir=tmp_path / "cache").fit(X, y, groups=groups)
    assert np.mean(model.predict(X) == y) > 0.9
