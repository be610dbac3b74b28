"""The paper's Tables 2 to 5, as published."""

from importlib.resources import files

import pandas as pd

from skosteo.study.models import TABLES


def published(table: int) -> pd.DataFrame:
    """Return a table as the paper published it, to stand beside a reader's own figures.

    Tang J, Yin X, Lai J, Luo K, Wu D. JMIR Med Inform 2025;13:e70738. doi:10.2196/70738, CC BY 4.0.
    1,780 patients of one hospital, 300 of them for the test; "osteoporosis" there is a density
    below the normal range, which takes in osteopenia. Rates are without counts, and there is no
    confidence interval.

    Examples
    --------
    >>> from skosteo.study.published import published
    >>> published(4).loc["multimodal", "AUC"]
    np.float64(0.975)
    """
    with files("skosteo.study").joinpath("published.csv").open(encoding="utf-8") as stream:
        known = pd.read_csv(stream, index_col="model").reindex(TABLES[table])
    return known[known["AUC"].notna()]
