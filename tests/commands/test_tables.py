"""Tables are read as they stand, or refused in plain words that name no cell."""

import argparse

import pandas as pd
import pytest

from skosteo.commands.tables import add_table_arguments, check_column, film_paths, read_csv
from skosteo.exceptions import InputError


def test_identifiers_keep_their_zeros_and_numbers_are_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("id,age\n007,60\n012,61\n")
    table = read_csv(tmp_path / "t.csv", "utf-8", ("id", None, "absent"))
    assert table["id"].tolist() == ["007", "012"]
    assert table["age"].sum() == 121


def test_a_comma_at_the_end_of_lines_shifts_no_column(tmp_path):
    (tmp_path / "t.csv").write_text("age,bmi\n60,25,\n61,26,\n")
    assert read_csv(tmp_path / "t.csv", "utf-8")["age"].tolist() == [60, 61]


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [("年龄\n60".encode("gb18030"), "utf-8", "gb18030"), (b"age\n60", "utf-9", "utf-9"),
     (b"age;sex\n60;F", "utf-8", "semicolons"), (b"age;bmi\n60;24,5", "utf-8", "semicolons"),
     ("age;bmi\n60;24,5;".encode("utf-16"), "utf-16", "semicolons"),
     (b"age,sex\n60,F,3\n", "utf-8", "more cells"),
     (b"", "utf-8", "cannot be read as CSV"), (None, "utf-8", "no such table")],
)  # fmt: skip
def test_what_is_no_table_is_said(content, encoding, said, tmp_path):
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_csv(tmp_path / "t.csv", encoding)
    assert str(tmp_path) not in str(caught.value)


def test_a_column_that_is_not_there_and_a_table_without_headings():
    with pytest.raises(InputError, match=r"'agee' \(--id\); did you mean 'age'"):
        check_column(pd.DataFrame({"age": [1]}), "agee", "--id")
    with pytest.raises(InputError, match="line of headings") as caught:
        check_column(pd.DataFrame(columns=["Jane Doe", "1947-02-13"]), "age", "--id")
    assert "Jane" not in str(caught.value)


def test_films_stay_in_their_folder(tmp_path):
    parser = argparse.ArgumentParser()
    add_table_arguments(parser)
    (tmp_path / "films").mkdir()
    given = ["t.csv", "--images", str(tmp_path / "films")]
    table = pd.DataFrame({"film": ["a.dcm", None]})
    paths = film_paths(table, "film", parser.parse_args(given))
    assert paths.tolist() == [str(tmp_path / "films" / "a.dcm"), None]
    table = pd.DataFrame({"film": ["../a.dcm"]})
    with pytest.raises(InputError, match="lead out of --images"):
        film_paths(table, "film", parser.parse_args(given))
    assert film_paths(table, "film", parser.parse_args([*given, "--outside-images"])).notna().all()
