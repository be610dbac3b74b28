"""Values of coalitions for a net of fully connected layers, in a fraction of the time."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

# Values of the widest layer that fit in a processor's cache
_VALUES = 2**18


@torch.inference_mode()
def net_coalition_means(
    layers: nn.Sequential,
    rows: NDArray[np.float64],
    background: NDArray[np.float64],
    groups: NDArray[np.intp],
    masks: NDArray[np.bool_],
    output: str,
) -> NDArray[np.float64]:
    """Return what `coalition_means` of `skosteo.explain.coalitions` does, for a net that evaluates.

    `layers` are a linear one first, and log odds last, whose mean is the net's; the rows are what
    the first sees, and `output` is "probability" or "log_odds".
    """
    first, rest = cast(nn.Linear, layers[0]), layers[1:]
    members = torch.from_numpy(masks[:, groups]).to(first.weight)  # (m, d)
    x, b = (torch.from_numpy(part).to(first.weight) for part in (rows, background))
    widest = max(part.out_features for part in layers if isinstance(part, nn.Linear))
    size = max(1, _VALUES // (widest * len(b)))
    values = members.new_empty(len(x), len(members))
    # The first layer is linear, so what it makes of a mixture is the sum of what it makes of the
    # row's part and of the background's. Each is computed once per coalition, and not for every
    # pair of a row and a background row.
    for start in range(0, len(members), size):
        inside = members[start : start + size]
        from_background = first((1 - inside)[:, None] * b)  # (m', B, hidden), with the bias
        for i, row in enumerate(x):
            from_row = (inside * row) @ first.weight.T  # (m', hidden)
            logits = rest(from_row[:, None] + from_background).mean(dim=2)
            outputs = logits.sigmoid() if output == "probability" else logits
            values[i, start : start + size] = outputs.mean(dim=1)
    return values.double().cpu().numpy()
