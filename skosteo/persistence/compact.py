"""What skops writes of a model, each content once and under the same names for equal models."""

import io
import json
from typing import Any
from zipfile import ZipFile

from skosteo.persistence.archive import SCHEMA

_ORDER = {"key_types": 0, "__reduce__": 2}


def compact(written: bytes) -> dict[str, bytes]:
    """Return the members of a file of skops: what is said twice once, and numbered in order.

    skops writes an object as often as it is met, and names it by where it lay in memory.

    Examples
    --------
    >>> import skops.io
    >>> same = [1.5, 2.5]
    >>> members = compact(skops.io.dumps({"a": same, "b": same}))
    >>> list(members), members == compact(skops.io.dumps({"a": same, "b": same}))
    (['schema.json'], True)
    """
    with ZipFile(io.BytesIO(written)) as archive:
        numbers: dict[Any, int] = {}
        files: dict[str, str] = {}

        def once(item: Any) -> Any:
            if isinstance(item, list):
                return [once(part) for part in item]
            if not isinstance(item, dict):
                return item
            known = item.get("__id__")
            if "__loader__" in item and known in numbers:
                return {"__loader__": "CachedNode", "__id__": numbers[known]}
            if "__loader__" in item:
                numbers[known] = len(numbers) + 1
                item = item | {"__id__": numbers[known]}
            if "file" in item and "__loader__" in item:
                suffix = item["file"].rpartition(".")[2]
                item["file"] = files.setdefault(item["file"], f"{len(files)}.{suffix}")
            # in the order in which skops reads
            order = sorted(item, key=lambda name: _ORDER.get(name, 1))
            return {name: once(item[name]) for name in order}

        schema = json.dumps(once(json.loads(archive.read(SCHEMA))), separators=(",", ":"))
        members = {new: archive.read(old) for old, new in files.items()}
    return {SCHEMA: schema.encode(), **members}
