"""Weights of others, in their own names: the converted net answers as its source does.

The sources are made here, with random weights: a net of timm, its state put into the names and
shapes in which DINOv2, RAD-DINO and torchxrayvision publish theirs.
"""

import pytest
import torch

from skosteo.exceptions import WeightsError
from skosteo.nets.backbone import make_backbone


def random_state(module):
    """State in which every tensor counts, layer scales and running statistics too."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(part.shape, generator=generator) * 0.1 + 0.05
        if part.is_floating_point()
        else part
        for name, part in module.state_dict().items()
    }


def dinov2_names(state):
    """As DINOv2's own code names a net with four registers or none, and its mask token."""
    given = {name.replace("reg_token", "register_tokens"): part for name, part in state.items()}
    class_token = state["cls_token"]
    given["mask_token"] = torch.zeros(1, class_token.shape[2])
    if "reg_token" in state:  # it has a position for the class token, where timm adds the two up
        position = torch.full_like(class_token, 0.03)
        given["cls_token"] = class_token - position
        given["pos_embed"] = torch.cat([position, state["pos_embed"]], dim=1)
    return given


@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"])
def test_weights_in_the_names_of_dinov2(tmp_path, name):
    from safetensors.torch import save_file

    side, film = 42, torch.rand(2, 3, 42, 42)
    source = make_backbone(name, pretrained=False, film_shape=(side, side)).eval()
    source.model.load_state_dict(random_state(source.model))
    save_file(dinov2_names(source.model.state_dict()), tmp_path / "backbone_compatible.safetensors")
    loaded = make_backbone(name, tmp_path / "backbone_compatible.safetensors", (side, side)).eval()
    with torch.no_grad():
        assert torch.allclose(loaded(film), source(film), atol=1e-6)


def test_position_embeddings_are_resampled_to_the_size_of_the_films(tmp_path):
    """A plane over the positions stays the same plane, whatever the size of the film."""
    source = make_backbone("test_vit", pretrained=False, film_shape=(128, 128))
    state = source.model.state_dict()
    across = torch.linspace(0, 1, 17)[:-1] + 1 / 32
    plane = across[::2, None] + torch.zeros(8, 8)
    state["pos_embed"][0, 1:] = plane.reshape(-1, 1)
    torch.save(state, tmp_path / "weights.pth")
    loaded = make_backbone("test_vit", tmp_path / "weights.pth", (64, 96))
    got = loaded.model.pos_embed[0, 1:].reshape(4, 6, -1)
    assert got.std(dim=(1, 2)).max() < 1e-6  # the same in a row
    down = got.mean(dim=(1, 2))
    assert torch.allclose(down.diff(), down.diff().mean().expand(3), atol=0.03)
    assert torch.allclose(got.mean(), plane.mean(), atol=0.01)


def test_a_densenet_of_torchxrayvision_sees_grey_films_from_minus_1024_to_1024(tmp_path):
    import timm

    source = timm.create_model("densenet121", in_chans=1, num_classes=18).eval()
    state = source.state_dict()
    torch.save(state | {"op_threshs": torch.zeros(18)}, tmp_path / "densenet121-res224-all.pth")
    backbone = make_backbone("densenet121", tmp_path / "densenet121-res224-all.pth").eval()
    films = torch.rand(2, 1, 64, 64)
    mean, std = (torch.tensor(s).view(1, 3, 1, 1) for s in backbone.input_statistics)
    with torch.no_grad():
        expected = source.forward_features(2048 * films - 1024)
        got = backbone((films - mean) / std)
    assert expected.std() > 0
    assert (got - expected).abs().max() < 1e-5 * expected.max()


def test_weights_for_another_number_of_channels_are_refused_elsewhere(tmp_path):
    import timm

    source = timm.create_model("resnet18", in_chans=1)
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"1 of another shape \(conv1.weight\)"):
        make_backbone("resnet18", tmp_path / "weights.pth")


@pytest.mark.parametrize("other", ["resnet18", "test_vit2", "densenet121"])
def test_weights_of_another_architecture_are_refused_by_the_names_that_differ(tmp_path, other):
    import timm

    torch.save(timm.create_model(other).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"do not fit backbone 'test_vit': \d+ (missing|not ex)"):
        make_backbone("test_vit", tmp_path / "weights.pth")
