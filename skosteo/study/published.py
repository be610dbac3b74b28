"""What the paper published, to stand beside a reader's own figures and never as ours.

Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738, CC BY 4.0.
1,780 patients of one hospital, 300 of them for the test; "osteoporosis" there is a density below
the normal range, which takes in osteopenia. Rates are without counts, and there is no interval.
"""

import pandas as pd

COLUMNS = ["AUC", "accuracy", "sensitivity", "specificity"]

# AUC, then per cent
_PUBLISHED = {
    2: {
        "cnn": (0.832, 77.91, 83.54, 69.75),
        "inception_v3": (0.909, 80.74, 77.66, 84.96),
        "vgg16": (0.916, 85.54, 85.26, 85.92),
        "image": (0.951, 89.32, 89.82, 88.64),
        "clinical": (0.884, 80.81, 78.29, 84.46),
        "multimodal": (0.975, 92.36, 91.23, 93.92),
    },
    3: {
        "backbone": (0.930, 86.35, 86.97, 80.90),
        "backbone_wt": (0.950, 87.70, 89.18, 85.99),
        "backbone_sa": (0.941, 89.19, 90.18, 87.97),
        "backbone_wt_sa": (0.951, 89.32, 89.82, 88.64),
    },
    4: {
        "feature_fusion": (0.969, 91.49, 90.99, 92.16),
        "learned_fusion": (0.957, 89.32, 89.94, 88.48),
        "multimodal": (0.975, 92.36, 91.23, 93.92),
    },
    5: {
        "no_augmentation": (0.934, 84.32, 92.28, 73.44),
        "augmentation": (0.951, 89.32, 89.82, 88.64),
    },
}


def published(table: int) -> pd.DataFrame:
    """Return a table of the paper as it was published.

    Parameters
    ----------
    table : int
        2 (models), 3 (ablation), 4 (fusions) or 5 (augmentation).

    Returns
    -------
    DataFrame of shape (n_models, 4)
        Indexed by the names of `run_study`; AUC, accuracy, sensitivity and specificity as shares.

    Examples
    --------
    >>> from skosteo.study.published import published
    >>> published(4).loc["multimodal", "AUC"]
    np.float64(0.975)
    """
    frame = pd.DataFrame(_PUBLISHED[table], index=COLUMNS).T
    frame[COLUMNS[1:]] /= 100
    return frame
