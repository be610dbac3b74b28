"""How release_0_1.skops and release_0_1.json were made, by skosteo 0.1.0. Not to be run again.

A clinical net on 200 synthetic patients; the JSON has five inputs and the answers of that release.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from skosteo import ClinicalOsteoClassifier, save_model

HERE = Path(__file__).parent

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(65, 9, 200), "bmi": rng.normal(25, 4, 200)})
    y = X["age"] - X["bmi"] + rng.normal(0, 8, 200) > 42
    model = ClinicalOsteoClassifier(max_epochs=30, random_state=0).fit(X, y)
    save_model(model, HERE / "release_0_1.skops", card="# Of synthetic patients\n")
    asked = pd.DataFrame({"age": [45, 55, 65, 75, 85], "bmi": [31, 28, 25, 22, 19]})
    answers = {
        "X": asked.to_dict("list"),
        "probabilities": model.predict_proba(asked)[:, 1].tolist(),
    }
    (HERE / "release_0_1.json").write_text(json.dumps(answers, indent=1) + "\n")
