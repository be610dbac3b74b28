"""NHANES of planted tables, in the agency's columns and under its file names."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from skosteo.datasets import fetch_nhanes, nhanes_files

TINY = 5.397605346934028e-79  # how the transport format writes 0
SEQN = {"SEQN": [1.0, 2.0, 3.0, 4.0]}


def tables():
    """Four people in the agency's columns."""
    nothing = [np.nan] * 4
    return {
        "DEMO": {
            "RIDAGEYR": [70.0, 80.0, 49.0, 50.0],
            "RIAGENDR": [1.0, 2.0, 2.0, 2.0],
            "RIDRETH1": [4.0, 5.0, 3.0, 3.0],
            "RIDRETH3": [4.0, 6.0, 3.0, 3.0],
            "WTMEC2YR": [100.0, TINY, 3.0, 4.0],
            "SDMVSTRA": 104.0,
            "SDMVPSU": [1.0, 2.0, 1.0, 2.0],
        },
        "BMX": {"BMXHT": 170.0, "BMXWT": 70.0, "BMXBMI": 24.2},
        "CBC": {"LBXWBCSI": [400.0, 6, 6, 6], "LBXPLTSI": 250.0},
        # no blood from the last person
        "BIOPRO": {"SEQN": [1.0, 2, 3], "LBXSCA": [9.2, 10, 9], "LBXSGL": 90.08},
        "DXXFEM": {"DXXNKBMD": [0.558, 0.738, 0.4, np.nan]},
        "DXXSPN": {"DXXOSBMD": [0.9, np.nan, 1.0, 1.0]},
        "GLU": {"SEQN": [2.0], "LBXGLU": [90.08]},
        "OSQ": {
            "OSQ060": [1.0, 9.0, 2.0, 2.0],
            "OSQ130": [2.0, 1.0, 2.0, 2.0],
            "OSQ010A": [1.0, 2.0, 2.0, 2.0],
            "OSQ010B": [1.0, 9.0, 2.0, 2.0],
            "OSQ010C": [2.0, 2.0, 2.0, 2.0],
            "OSD030AA": [40.0, *nothing[1:]],
            "OSD030AB": [46.0, *nothing[1:]],
            "OSD030BA": [12.0, *nothing[1:]],
            "OSQ040BA": [1.0, *nothing[1:]],
        },
    }


class Agency:
    """A data home whose transport files are planted tables; no test goes online."""

    def __init__(self, home, monkeypatch):
        self.home, self.content, self.sums, self.asked = home, {}, {}, []

        def read_sas(path, format):
            return self.content[Path(path).read_text()].copy()

        def retrieve(url, *args, **kwargs):
            self.asked.append(url)
            raise ConnectionError

        monkeypatch.setattr(nhanes_files, "read_checksums", lambda _: self.sums)
        monkeypatch.setattr(pd, "read_sas", read_sas)
        monkeypatch.setattr("pooch.retrieve", retrieve)

    def path(self, file):
        return self.home / "nhanes" / file

    def write(self, file, table, known=True):
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file)
        self.content[file] = pd.DataFrame({**SEQN, **table} if isinstance(table, dict) else table)
        if known:
            self.sums[file] = hashlib.sha256(file.encode()).hexdigest()

    def fetch(self, cycles="2013-2014", **options):
        return fetch_nhanes(cycles, data_home=self.home, **options)
