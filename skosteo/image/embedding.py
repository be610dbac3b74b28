"""Embeddings of films by a frozen backbone, which sees each film once."""

from os import PathLike
from typing import Any

import torch
from torch import Tensor, from_numpy

from skosteo.image.embedding_cache import embeddings, other_shapes
from skosteo.image.film_cache import CacheError, go_on_without
from skosteo.image.film_rows import FilmRows
from skosteo.image.films import film_digest
from skosteo.training.data import Inputs
from skosteo.training.inference import batched_forward
from skosteo.training.net import WeightedNet


def embed_films(net: WeightedNet, inputs: Inputs, *, cache_dir: str | PathLike | None) -> Inputs:
    """Replace films by what the frozen backbone of a net makes of them.

    Parameters
    ----------
    net : WeightedNet
        Its module has ``features``, and ``features_digest`` for all that decides them.
    inputs : dict of Tensor
        ``films`` (n, c, h, w) among them.
    cache_dir : path or None
        Folder that keeps the features.
    """
    films, features = inputs["films"], net.module_.features

    def compute(rows: Any) -> Tensor:
        return batched_forward(net, lambda x: features(**x), {"films": films[rows]})

    if cache_dir is None:
        return {**inputs, "films": compute(slice(None))}
    if isinstance(films, FilmRows):
        digests = films.films.digests.astype(str).tolist()
    else:
        digests = [film_digest(film) for film in films.numpy()]
    trunk: Any = getattr(net.module_, "trunk", net.module_)
    # another kind of device rounds otherwise
    kind = "CPU" if net.device == "cpu" else torch.cuda.get_device_name(net.device)
    digest = f"{net.module_.features_digest()} {kind}"
    try:
        known = embeddings(digests, digest, lambda rows: compute(rows).numpy(), cache_dir)
        if not trunk.fits_features(known.shape):
            raise other_shapes()
    except CacheError as error:
        go_on_without(error)
        return {**inputs, "films": compute(slice(None))}
    return {**inputs, "films": from_numpy(known)}
