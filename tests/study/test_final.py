"""The final model: what the study says of it is what the saved file does."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skosteo import load_model
from skosteo.evaluation import calibration_line
from skosteo.study import run_study
from tests.study.cohorts import Says


@pytest.mark.parametrize("ran", ["of_values", "of_films"])
def test_the_saved_model_is_the_final_one(ran, request):
    study, *_, out = request.getfixturevalue(ran)
    seen = study.models[study.primary].part(study.design.X)
    loaded = load_model(out / "model.skops")
    probability = study.final_model_.predict_proba(seen)
    np.testing.assert_allclose(loaded.predict_proba(seen), probability, atol=1e-7)
    np.testing.assert_array_equal(loaded.predict(seen), study.final_model_.predict(seen))


def test_what_the_report_says_of_a_test_set_the_final_model_says(of_split):
    study = of_split.study
    rows, name = study.assessed(), study.primary
    seen = study.models[name].part(study.design.X).iloc[study.design.test]
    risk = study.final_model_.predict_proba(seen)[:, 1]
    np.testing.assert_allclose(rows.risk[name], risk, atol=1e-12)
    np.testing.assert_array_equal(rows.positive[name], study.final_model_.predict(seen) == 1)


def test_it_is_the_fusion_and_has_learned_from_every_row_where_there_is_no_test_set(of_films):
    study = of_films.study
    assert study.final.title == study.titles["multimodal"]
    assert not study.design.has_test
    fitted = study.final.recalibrated.estimator_
    assert fitted.n_features_in_ == study.design.X.shape[1]
    assert set(study.final.fit.explained) == {"shap", "grad_cam", "fusion"}


def test_risks_and_threshold_come_from_all_out_of_fold_predictions(of_values):
    study = of_values.study
    rows = study.assessed()
    y, p = rows.y, rows.probability[study.primary].to_numpy()
    line = calibration_line(y, p)
    risk = study.final.recalibrated
    assert risk.slope_ == pytest.approx(line.slope, rel=1e-6)
    right = risk.put_right(p)
    assert right.mean() == pytest.approx(y.mean(), abs=1e-6)
    found = right >= study.final_model_.threshold
    assert found[y == 1].mean() >= 0.9
    # no higher threshold finds as many
    assert (right[y == 1] >= np.min(right[found]) + 1e-9).mean() < 0.9


def test_a_study_that_goes_on_does_not_fit_it_again(of_values, monkeypatch, tmp_path, no_report):
    X, y, groups = of_values.X, of_values.y, of_values.groups
    given = {
        "groups": groups, "image_column": None, "n_folds": 3, "n_repeats": 1, "verbose": 0,
        "out": tmp_path / "s", "clinical_columns": ["age", "sex", "bmi"], "models": ["age_sex_bmi"],
    }  # fmt: skip
    first = run_study(X, y, **given)
    fits = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda *a, **k: (fits.append(1), fit(*a, **k))[1]
    )
    again = run_study(X, y, **given)
    assert fits == []
    assert again.final_model_.threshold == first.final_model_.threshold
    kept = next((tmp_path / "s" / "work").glob("*.skops"))
    kept.write_bytes(kept.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="final model .* is not taken, and is fitted again"):
        run_study(X, y, **given)
    assert len(fits) == 1


def test_the_final_model_of_another_study_is_not_taken(of_values, tmp_path, no_report):
    X, y, groups = of_values.X, of_values.y, of_values.groups
    given = {"image_column": None, "n_folds": 2, "n_repeats": 1, "verbose": 0,
             "models": ["age_sex_bmi"], "clinical_columns": ["age", "sex", "bmi"]}  # fmt: skip
    run_study(X[:100], y[:100], groups=groups[:100], out=tmp_path / "a", **given)
    study = run_study(X, y, groups=groups, out=tmp_path / "b", **given)
    kept = next((tmp_path / "b" / "work").glob("*.skops"))
    kept.write_bytes(next((tmp_path / "a" / "work").glob("*.skops")).read_bytes())
    with pytest.warns(UserWarning, match="another study"):
        again = run_study(X, y, groups=groups, out=tmp_path / "b", **given)
    risks = [one.final_model_.predict_proba(X[["age", "sex", "bmi"]]) for one in (study, again)]
    np.testing.assert_array_equal(*risks)


def test_a_model_of_foreign_parts_is_in_no_file_and_the_report_says_why(
    of_values, tmp_path, same_picture
):
    out = tmp_path / "s"
    study = run_study(
        of_values.X, of_values.y, groups=of_values.groups, image_column=None, n_folds=2,
        n_repeats=1,
        clinical_columns=["age", "sex"], models=[("hunch", Says("hunch"))], out=out, verbose=0,
    )  # fmt: skip
    assert not (out / "model.skops").exists()
    assert "It is not kept in a file" in (out / "report.html").read_text("utf-8")
    probability = study.final_model_.predict_proba(study.design.X)[:, 1]
    assert pd.Series(probability).corr(study.design.X["hunch"], "spearman") > 0.99


def test_risks_that_no_slope_fits_are_said(of_values, tmp_path):
    X = of_values.X.assign(noise=1 - of_values.X["hunch"])
    study = run_study(
        X, of_values.y, groups=of_values.groups, image_column=None, n_folds=2, n_repeats=1,
        clinical_columns=["age", "sex"], models=[("wrong", Says("noise"))], verbose=0,
    )  # fmt: skip
    assert "No slope can be learned" in " ".join(study.final.notes)
    assert study.figures().set_index("figure").loc["AUC", "estimate"] < 0.6
