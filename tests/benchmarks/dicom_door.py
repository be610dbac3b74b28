"""What readers of DICOM make of the same damaged films and bombs, and how fast they read good ones.

    python -m tests.benchmarks.dicom_door

A third of an hour on one core. Each reader reads in a process of its own with 2 GB to spare and 30
seconds for a file: skosteo; pydicom with whichever of its decoders are installed, but GDCM; GDCM
itself (`pip install python-gdcm`). The mutants are those of the hostile tests, of the encodings
that all of them read; a picture is compared with what the same reader makes of the undamaged film.
GDCM applies no window, so that it is judged on stored values. Linux only.
"""

import hashlib
import importlib.metadata
import importlib.util
import linecache
import sys
import tempfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from time import process_time

from tests.hostile.child import Child, serve

N_MUTANTS, ROUNDS = 3000, 7  # of the hostile tests, of each film
MUCH, KEPT = 1000, 200  # MB of memory
HANGS_AFTER = 30  # seconds by the clock; all others are of the processor, since machines are busy
DECODERS = ("pydicom", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle")
DECODERS += ("pyjpegls", "python-gdcm", "imagecodecs", "pillow")
OUTCOMES = ("the undamaged picture", "another picture, with a warning")
OUTCOMES += ("another picture, silently", "refused", "other exception", "much memory")
OUTCOMES += ("hangs", "died")


def skosteo_reader():
    from skosteo.dicom import read_radiograph

    return lambda data, ignore_rules=(): read_radiograph(data, ignore_rules=ignore_rules).pixels


def pydicom_reader():
    sys.modules["gdcm"] = None  # else pydicom would take it for a decoder
    from pydicom import dcmread
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    def read(data, ignore_rules=()):
        ds = dcmread(data if isinstance(data, str) else BytesIO(data))
        return apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds)

    return read


class RefusedError(Exception):
    """GDCM says that it could not read a file; it never says why."""


def gdcm_reader():
    import gdcm

    for silence in ("ErrorOff", "WarningOff", "DebugOff", "StreamOff"):
        getattr(gdcm.Trace, silence, lambda: None)()

    def read(data, ignore_rules=()):
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
            path = data
            if not isinstance(data, str):
                file.write(data)
                file.flush()
                path = file.name
            reader = gdcm.ImageReader()
            reader.SetFileName(path)
            if not reader.Read():
                raise RefusedError
            pixels = reader.GetImage().GetBuffer()
            if pixels is None:
                raise RefusedError
            return pixels.encode("utf-8", "surrogateescape")

    return read


READERS = {"skosteo": skosteo_reader, "pydicom": pydicom_reader, "GDCM": gdcm_reader}


def is_on_purpose(error):
    """Whether the innermost line that was reached is a `raise`, and not an accident there."""
    inner = error.__traceback__
    while inner.tb_next:
        inner = inner.tb_next
    line = linecache.getline(inner.tb_frame.f_code.co_filename, inner.tb_lineno)
    return line.strip().startswith("raise")


def serving(name, for_speed):
    """Give what the child of this reader does with a file; the digest of the picture takes time."""

    def import_reader():
        read = READERS[name]()

        def kind_of(data, ignore_rules):
            try:
                pixels = read(data, ignore_rules)
            except MemoryError:
                return "out of memory"
            except BaseException as error:  # pydicom's decoders raise many kinds
                if "MemoryError" in str(error):
                    return "out of memory"
                return f"{'refused' if is_on_purpose(error) else 'other'}:{type(error).__name__}"
            if for_speed:
                return "film"
            content = pixels if isinstance(pixels, bytes) else pixels.tobytes()
            return f"film:{hashlib.sha256(content).hexdigest()}"

        return kind_of

    return import_reader


def child_of(name, *for_speed):
    return Child("-m", __spec__.name, name, *for_speed, hangs_after=HANGS_AFTER)


def sorted_out(outcome, good):
    """Sort the outcome of a damaged film into one of OUTCOMES."""
    if outcome.kind == "hangs" or outcome.kind.startswith("died"):
        return outcome.kind.split()[0]
    if outcome.kind.startswith("out of memory") or outcome.peak - outcome.before > MUCH:
        return "much memory"
    kind, warning, _ = outcome.kind.partition(", with a warning")
    if kind == good:
        return "the undamaged picture"
    if kind.startswith("film"):
        return f"another picture, {'with a warning' if warning else 'silently'}"
    return "refused" if kind.startswith("refused") else "other exception"


def kinds_of_exception(outcomes):
    kinds = (outcome.kind.split(",")[0].split(":") for outcome in outcomes)
    return sorted({kind[1] for kind in kinds if kind[0] in ("refused", "other")})


def read_all(name, files):
    """Outcome of each file; a process that may not have given memory back is started anew."""
    child, outcomes = child_of(name), {}
    for number, data in files:
        outcomes[number] = outcome = child.read(data)
        if outcome.peak > child.baseline + KEPT or outcome.kind.startswith("out of memory"):
            child.close()
            child = child_of(name)
    child.close()
    return outcomes


def damaged(names):
    """Counts of OUTCOMES for each reader, and of silent other pictures by kind of damage."""
    from tests.hostile.mutants import damage_of, mutant, seed_of
    from tests.hostile.seeds import MAKERS, is_dicom, seed

    seeds = [name for name in MAKERS if is_dicom(seed(name))]
    undamaged = {name: read_all(name, ((s, seed(s)) for s in seeds)) for name in names}
    good = {n: {s: o.kind.split(",")[0] for s, o in undamaged[n].items()} for n in names}
    for name in names:
        unread = [s for s in seeds if not good[name][s].startswith("film")]
        print(f"{name} reads {len(seeds) - len(unread)} of {len(seeds)} undamaged; not: {unread}")
    shared = [s for s in seeds if all(good[n][s].startswith("film") for n in names)]
    numbers = [number for number in range(N_MUTANTS) if seed_of(number) in shared]
    print(f"\n{len(numbers)} damaged films of {len(shared)} encodings")
    damages = Counter(map(damage_of, numbers))
    for name in names:
        outcomes = read_all(name, ((number, mutant(number)) for number in numbers))
        sorts = {n: sorted_out(o, good[name][seed_of(n)]) for n, o in outcomes.items()}
        counts = Counter(sorts.values())
        print(f"\n{name}: { ({kind: counts[kind] for kind in OUTCOMES}) }")
        silent = Counter(damage_of(n) for n, kind in sorts.items() if kind == OUTCOMES[2])
        print(f"  silently another: { ({d: f'{silent[d]} of {damages[d]}' for d in damages}) }")
        print(f"  exceptions: {kinds_of_exception(outcomes.values())}")
        print(f"  slowest {max(o.seconds for o in outcomes.values()):.1f} s")


def bombs(names):
    """What bombs take: how many of them more than MUCH, or all the time that a file is given."""
    from tests.hostile.bombs import BOMBS, write
    from tests.hostile.seeds import is_dicom, seed

    chosen = {
        name: bomb
        for name, bomb in BOMBS.items()
        if is_dicom(seed(bomb.like)) and not bomb.ignore_rules
    }
    for name in names:
        outcomes = {}
        with child_of(name) as child, tempfile.TemporaryDirectory() as folder:
            for bomb_name, bomb in chosen.items():
                path = write(Path(folder) / "film", bomb.parts())
                outcomes[bomb_name] = child.read(str(path))
                path.unlink()
        taken = {bomb: outcome.peak - outcome.before for bomb, outcome in outcomes.items()}
        kinds = {bomb: sorted_out(outcome, None) for bomb, outcome in outcomes.items()}
        small = sum(
            taken[bomb] < 64 and outcomes[bomb].seconds < 2 and "memory" not in kinds[bomb]
            for bomb in outcomes
        )
        print(f"\n{name}, {len(chosen)} bombs: {dict(Counter(kinds.values()))}")
        print(f"  in under 64 MB and 2 s: {small}; most {max(taken.values()):.0f} MB")
        print(f"  longest {max(o.seconds for o in outcomes.values()):.1f} s of {HANGS_AFTER}")


def speed(names):
    """Films a second in one thread, of 2500 x 2048 pixels: the best of some rounds, in turn."""
    from tests.benchmarks.reading_speed import write_films

    children = {name: child_of(name, "for speed") for name in names}
    with tempfile.TemporaryDirectory() as folder:
        print("\nfilms a second, 2500 x 2048 pixels of 12 bits")
        for encoding, path in write_films(Path(folder)).items():
            best = dict.fromkeys(names, float("inf"))
            for _ in range(ROUNDS):
                for name, child in children.items():
                    best[name] = min(best[name], child.read(str(path)).seconds)
            print(f"{encoding:22}" + "".join(f"{n} {1 / s:6.1f}   " for n, s in best.items()))
    for child in children.values():
        child.close()


def main():
    names = [name for name in READERS if name != "GDCM" or importlib.util.find_spec("gdcm")]
    for package in DECODERS:
        try:
            print(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            print(package, "is not installed")
    damaged(names)
    bombs(names)
    speed(names)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(serving(sys.argv[1], for_speed=len(sys.argv) > 2), clock=process_time)
    else:
        main()
