"""Files that somebody means ill with, and files that broke on their way: all made of a good one."""

import io
import json
import pickle
import struct
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from skosteo.persistence.archive import write_archive

_END = struct.Struct("<4s4H2LH")


class _Runs:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (self.mark, "w")


def members_of(file):
    with ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}


def array(values):
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def header(text, data=b"\0" * 64):
    """An array whose header says what it likes."""
    line = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + data


def zipped(members, **changes):
    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, data in members:
            archive.writestr(ZipInfo(name), data, **changes)
    return stream.getvalue()


def node(kind, module, name, **more):
    return {"__class__": name, "__module__": module, "__loader__": f"{kind}Node", **more}


def _text(value, number):
    return node("Json", "builtins", "str", content=json.dumps(value), is_json=True, __id__=number)


def _call(kind, module, name, mark):
    """A function, class, partial or method of any module, asked to be called with a path."""
    function = node("Function", module, name, __id__=9001)
    arguments = node("Tuple", "builtins", "tuple", content=[_text(mark, 9002)], __id__=9003)
    nothing = node("Dict", "builtins", "dict", content={}, __id__=9004)
    nothing["key_types"] = node("List", "builtins", "list", content=[], __id__=9005)
    whole = {
        "Function": function,
        "Type": node("Type", module, name, __id__=9006),
        "Object": node("Object", module, name, content=nothing, __id__=9006),
        "ConstructorFromReduce": node("ConstructorFromReduce", module, name, content=arguments),
        "Partial": node(
            "Partial", "functools", "partial",
            content={"func": function, "args": arguments, "kwds": nothing, "namespace": nothing},
        ),
        "OperatorFunc": node("OperatorFunc", "operator", name, attrs=arguments),
        "Method": node(
            "Method", module, name, content={"func": "system", "obj": function}
        ),
    }[kind]  # fmt: skip
    return {"__id__": 9000, **whole}


def hostile_files(good, mark):
    """Files by name, each with what the error must say; none may make the file ``mark``."""
    members = members_of(good)
    schema = json.loads(members["schema.json"])
    arrays = [name for name in members if name.endswith(".npy")]
    weights = max(arrays, key=lambda name: len(members[name]))
    bomb = zipped([("0.npy", b"\0" * 2**28)], compress_type=ZIP_DEFLATED)

    def with_member(name, data):
        return write_archive({**members, name: data}, {})

    def with_schema(changed):
        return with_member("schema.json", json.dumps(changed).encode())

    def with_model(state):
        content = {**schema["content"], "model": state}
        return with_schema({**schema, "content": content})

    def replaced(old, new):
        text = members["schema.json"].replace(old, new)
        assert text != members["schema.json"], old
        return with_member("schema.json", text)

    def directory(**changes):
        """The good file, whose end says other things of it."""
        fields = dict(zip("sabcdnoz", _END.unpack(good[-22:]), strict=True)) | changes
        return good[:-22] + _END.pack(*fields.values())

    plain = list({**members, "manifest.json": b"{}"}.items())
    million = zipped([]).join([b"PK\x03\x04" + b"\0" * 26, b""]) + _directory_of(10**6)
    files = {
        "pickle": (pickle.dumps(_Runs(mark)), "pickle, which can run any code"),
        "old pickle": (pickle.dumps(_Runs(mark), protocol=0), "no model that skosteo has saved"),
        "empty": (b"", "no model that skosteo has saved"),
        "text": (b"PK? " * 20, "no model that skosteo has saved"),
        "png": (b"\x89PNG\r\n\x1a\n" * 9, "no model that skosteo has saved"),
        "zip without anything": (zipped([]), "no model that skosteo has saved"),
        "other zip": (zipped([("word/document.xml", b"x")]), "has a member 'word/document.xml'"),
        "bomb": (bomb, "compressed members"),
        "bomb of a text": (zipped(plain, compress_type=ZIP_DEFLATED), "compressed members"),
        "name upwards": (with_member("../../evil.npy", b""), r"has a member '\.\./\.\./evil"),
        "name from the root": (with_member("/etc/passwd", b""), "has a member '/etc/passwd'"),
        "million members": (million, "more members than any model"),
        "members of zip64": (
            good[:-22] + b"PK\x06\x07" + b"\0" * 16 + good[-22:],
            "more members than any model",
        ),
        "wrong place of the directory": (directory(o=5), "Bytes are missing"),
        "wrong size of the directory": (directory(n=5), "Bytes are missing"),
        "several disks": (directory(a=3), "ends too early"),
        "one byte more": (good + b"\0", "ends too early|Bytes are missing"),
        "something before it": (b"PK\x03\x04" + good, "Bytes are missing"),
        "two of one name": (_twice(plain), "two members of one name"),
        "no manifest": (zipped(members.items()), r"no manifest\.json"),
        "no schema": (zipped([("manifest.json", b"{}")] * 1), r"no schema\.json"),
        "empty manifest": (zipped(plain), r"manifest\.json is not as skosteo writes"),
        "manifest no JSON": (zipped([*plain[:-1], ("manifest.json", b"{")]), "no JSON"),
        "other format": (
            good.replace(b'"format": 1', b'"format": 7'),
            "damaged|not as it was written",
        ),
        "future format": (_of_format(members, 2), "of format 2, written by skosteo 9.0"),
        "member not in the manifest": (
            _unlisted(good, members, "999999.npy"), "1 members are in the file and not in its"
        ),
        "member not in the file": (_unlisted(good, members, None), "members are in the file and"),
        "other content": (_other_content(good, members, weights), "is not as it was written"),
        "schema no JSON": (with_member("schema.json", b"[" * 50), "no JSON"),
        "deep schema": (with_member("schema.json", b"[" * 200_000 + b"]" * 200_000), "no JSON"),
        "wide schema": (with_member("schema.json", b"[" + b"{}," * 10**6 + b"{}]"), "parts"),
        "long schema": (with_member("schema.json", b" " * 2**24), "larger than"),
        "schema a list": (with_member("schema.json", b"[]"), "another release of skops"),
        "old protocol": (with_schema({**schema, "protocol": 0}), "another release of skops"),
        "future protocol": (with_schema({**schema, "protocol": 99}), "another release of skops"),
        "no content": (with_schema({"protocol": 2}), "cannot be read"),
        "objects in an array": (with_member(weights, array(np.array([_Runs(mark)]))), "objects"),
        "pickle for an array": (with_member(weights, pickle.dumps(_Runs(mark))), "damaged"),
        "huge shape": (
            with_member(weights, header(
                "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 999), }"
            )),
            "says it is of shape",
        ),
        "huge header": (
            with_member(weights, b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b" " * 99),
            "damaged",
        ),
        "array read a million times": (
            with_model({**node("List", "builtins", "list", __id__=9000), "content": [
                node("NdArray", "numpy", "ndarray", type="numpy", file=weights, __id__=i)
                for i in range(10_000, 45_000)
            ]}),
            "again and again",
        ),
        "text for an array": (replaced(b'"file":"0.npy"', b'"file":"schema.json"'), "text for an"),
        "array not there": (replaced(b'"file":"0.npy"', b'"file":"777.npy"'), "not be read"),
        "one number twice": (replaced(b'"__id__":20}', b'"__id__":21}'), "one number"),
        "number of nothing": (
            replaced(b'edNode","__id__":3}', b'edNode","__id__":4444}'), "cannot be read"
        ),
        "wrong shapes": (
            with_member(weights, array(np.zeros((3, 7)))), r"do not fit the net: .*3 x 7"
        ),
        "NaN weights": (_with_nan(with_member, members, weights), "weights .* are not finite"),
        "huge net": (
            replaced(b'"content":"50"', b'"content":"999999999999"'), "should be 999999999999",
        ),
        "deep net": (
            replaced(
                b'"content":"50","is_json":true,"__id__":8}',
                b'"content":"50","is_json":true,"__id__":8}'
                + b',{"__loader__":"CachedNode","__id__":8}' * 50_000,
            ),
            "more layers than it has weights",
        ),
        "slice of words": (
            with_model(node("Slice", "builtins", "slice", __id__=9000,
                            content={"start": mark, "stop": None, "step": None})),
            "slice of other things than integers",
        ),
        "many jobs": (
            replaced(b'"content":{"hidden_layer', b'"content":{"n_jobs":%s,"hidden_layer'
                     % json.dumps(_text(10**6, 7777)).encode()),
            "jobs at a time|cannot be read",
        ),
        "other optimiser": (replaced(b"Adam", b"os"), "cannot be read"),
        "other model": (with_model(_text("a model", 9000)), "str is no classifier"),
        "no model": (with_model(_text(None, 9000)), "NoneType is no classifier"),
        "other answers": (_other_answers(with_member, members), "moved by"),
    }  # fmt: skip
    for kind in ("Function", "Type", "Object"):
        for module, name in (("os", "system"), ("builtins", "eval"), ("antigravity", "fly"),
                             ("subprocess", "Popen"), ("skosteo.commands", "main")):  # fmt: skip
            asked = with_model(_call(kind, module, name, mark))
            files[f"{kind} {module}.{name}"] = asked, f"Untrusted types.*{module}.{name}"
    for kind in ("ConstructorFromReduce", "Partial", "Method", "OperatorFunc"):
        asked = with_model(_call(kind, "sklearn.pipeline", "Pipeline", mark))
        files[f"{kind} of anything"] = asked, f"asks for a '{kind}Node'"
    for i, part in enumerate(np.linspace(0, len(good), 12, endpoint=False).astype(int)):
        files[f"truncated {i}"] = good[:part], "."
    return files


def _directory_of(n):
    # made by hand: Python would take minutes, and a gigabyte
    entry = b"PK\x01\x02" + b"\0" * 24 + struct.pack("<H", 5) + b"\0" * 16 + b"0.npy"
    end = _END.pack(b"PK\x05\x06", 0, 0, 65535, 65535, n * len(entry), 30, 0)
    return entry * n + end


def _twice(plain):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile knows that this is wrong
        return zipped([*plain, plain[0]])


def _of_format(members, number):
    manifest = json.dumps({"format": number, "skosteo": "9.0", "sha256": {}}).encode()
    return zipped([*members.items(), ("manifest.json", manifest)])


def _manifest(good):
    with ZipFile(io.BytesIO(good)) as archive:
        return archive.read("manifest.json")


def _unlisted(good, members, name):
    there = {**members, name: b""} if name else dict(list(members.items())[:-1])
    return zipped([*there.items(), ("manifest.json", _manifest(good))])


def _other_content(good, members, name):
    changed = members[name][:-8] + b"\0" * 8
    return zipped([*{**members, name: changed}.items(), ("manifest.json", _manifest(good))])


def _with_nan(with_member, members, name):
    values = np.load(io.BytesIO(members[name]))
    values.flat[0] = np.nan
    return with_member(name, array(values))


def _other_answers(with_member, members):
    name = [name for name in members if name.endswith(".npy")][-1]
    values = np.load(io.BytesIO(members[name]))
    return with_member(name, array(1 - values))
