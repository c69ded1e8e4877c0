"""Scenes: files and cameras to rays, rendering against closed forms."""

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nerf_files import GLASS, QUICK, glass, shown
from scipy.special import lpmv
from torch import Tensor

from inrc.errors import SignalError
from inrc.testing import check_modality
from inrc_modalities.nerf import NeRF, files, orbit, rendering
from inrc_modalities.nerf.cameras import Cameras, checked, same
from inrc_modalities.nerf.solids import seen

MIC = Path(__file__).parents[2] / "shared" / "data" / "nerf" / "mic_100"


HALF = 0.5 / 255.0


def test_stored_cameras_give_the_same_views_again(tmp_path: Path) -> None:
    cameras = shown()
    files.save(cameras, glass(cameras), tmp_path / "plain.json")
    files.save(cameras, glass(cameras), tmp_path / "plain.npz")
    paths = [tmp_path / "plain.json", tmp_path / "plain.npz", with_alpha(tmp_path / "alpha")]
    # a ball that every ray meets: the law wants a gradient from the first rays of a file
    modality = NeRF(
        bound=2.6, rays=None, cameras=True, frames=4, directions=1, background=[0, 0, 1]
    )
    check_modality(modality, paths, tmp_path / "law", HALF)


def with_alpha(folder: Path) -> Path:
    """A scene as Blender's exporter leaves it: no suffixes, palettes, greys, 16 bits of nothing."""
    cameras = shown((11, 12), 4)
    folder.mkdir()
    levels = glass(cameras)
    alpha = np.random.default_rng(0).integers(0, 256, (*levels.shape[:3], 1), dtype=np.uint8)
    PIL.Image.fromarray(np.concatenate([levels, alpha], -1)[0]).save(folder / "a.png")
    PIL.Image.fromarray(levels[1]).quantize(7).save(folder / "b.png")
    PIL.Image.fromarray(levels[2][..., 0]).save(folder / "c.png")
    PIL.Image.fromarray(levels[3]).save(folder / "d.jpg", quality=95)
    frames = [
        {"file_path": name, "rotation": 0.1, "transform_matrix": pose}
        for name, pose in zip(["./a", "b.png", "../alpha/c", "d.jpg"],
                              cameras.poses.tolist(), strict=True)
    ]  # fmt: skip
    said = {"camera_angle_x": 2 * math.atan(6.0 / cameras.focal), "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(said))
    return folder / "transforms.json"


def test_transparent_pixels_are_seen_before_the_background(tmp_path: Path) -> None:
    path = with_alpha(tmp_path / "alpha")
    signal = NeRF(rays=None, background=[0.0, 0.5, 1.0]).read(path)
    rgba = np.asarray(PIL.Image.open(path.parent / "a.png"), np.float64) / 255.0
    wanted = rgba[..., :3] * rgba[..., 3:] + (1 - rgba[..., 3:]) * np.array([0.0, 0.5, 1.0])
    pixels = signal.features[0].reshape(4, 11, 12, 3)[0].numpy()
    np.testing.assert_allclose(pixels, wanted, atol=1e-6)
    assert signal.meta["focal"] == pytest.approx(1.7 * 12, rel=1e-6)


@QUICK
@given(st.integers(1, 5), st.integers(1, 24), st.integers(1, 24), st.integers(0, 10**6),
       st.sampled_from([".json", ".npz", ".txt"]))  # fmt: skip
def test_any_views_come_back_from_every_layout(
    tmp_path: Path, views: int, height: int, width: int, seed: int, suffix: str
) -> None:
    rng = np.random.default_rng(seed)
    cameras = shown((height, width), views, [*rng.integers(1, 9, 2).tolist(), int(rng.integers(6)),
                                             *rng.integers(-9, 9, 3).tolist()])  # fmt: skip
    levels = rng.integers(0, 256, (views, height, width, 3), dtype=np.uint8)
    shutil.rmtree(tmp_path / "scene", ignore_errors=True)
    (tmp_path / "scene").mkdir()
    path = tmp_path / "scene" / f"intrinsics{suffix}"
    files.save(cameras, levels, path)
    scene = files.load(path)
    assert scene.cameras.size == cameras.size and scene.cameras.focal == cameras.focal
    torch.testing.assert_close(scene.cameras.poses, cameras.poses, atol=2e-5, rtol=1e-6)
    again = np.stack([scene.picture(number) for number in range(views)]) * 255.0
    assert np.array_equal(again.round().astype(np.uint8), levels)


def test_rays_go_where_blender_looks() -> None:
    pose = torch.eye(4)[None, :3] + torch.tensor([0, 0, 0, 2.0])
    cameras = Cameras(pose, (2, 4), 3.0)
    rays = cameras.every()
    assert torch.equal(rays[:, :3], torch.full((8, 3), 2.0))
    # OpenGL: x right, y up, the camera looks along -z; the first pixel is up on the left
    first = torch.tensor([-1.5, 0.5, -3.0])
    torch.testing.assert_close(rays[0, 3:6], first / first.norm())
    torch.testing.assert_close(rays[:, 3:6].norm(dim=1), torch.ones(8))
    assert (rays[:, 6] == 0.5).all()
    assert torch.equal(cameras.rays(torch.tensor([0]), torch.tensor([5])), rays[5:6])


@QUICK
@given(st.integers(0, 5), st.integers(-8, 8), st.integers(1, 60), st.integers(1, 30),
       st.tuples(*[st.integers(-10, 10)] * 3))  # fmt: skip
def test_a_circle_is_described_by_what_it_was_made_of(
    up: int, tilt: int, radius: int, frames: int, centre: tuple[int, int, int]
) -> None:
    path = [radius, tilt, up, *centre]
    poses = orbit.circle(path, max(frames, 3), 6.0)
    assert checked(poses, "circle").shape == poses.shape
    middle = torch.tensor(centre) * 0.3
    away = poses[:, :, 3] - middle
    torch.testing.assert_close(away.norm(dim=1), torch.full((len(poses),), radius * 0.3))
    torch.testing.assert_close(poses[:, :, 2], torch.nn.functional.normalize(away), atol=1e-4,
                               rtol=0)  # fmt: skip
    assert orbit.sound(path)
    assert orbit.describe(poses, 6.0) == path


def test_turntable_of_cameras_that_all_look_alike() -> None:
    poses = shown(views=1).poses.expand(4, -1, -1)
    assert orbit.sound(orbit.describe(poses, 6.0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p[:3, :3].zero_(), "singular"),
        (lambda p: p[:3, 0].copy_(p[:3, 1]), "singular"),
        (lambda p: p[:3, 0].neg_(), "mirrored"),
        (lambda p: p[:3, 0].mul_(1.2), "not a rotation"),
        (lambda p: p[0, 3].fill_(math.nan), "not finite"),
        (lambda p: p[0, 3].fill_(1e30), "beyond 1e9"),
        (lambda p: p[3].fill_(1.0), "0 0 0 1"),
    ],
)
def test_poses_that_are_none(change: Callable[[Tensor], Any], says: str) -> None:
    poses = torch.cat([shown().poses, torch.tensor([0, 0, 0, 1.0]).expand(3, 1, 4)], 1)
    change(poses[1])
    with pytest.raises(SignalError, match=f"x: the pose of view 1 .*{says}"):
        checked(poses, "x")


def test_a_uniform_scale_of_a_pose_is_taken_out() -> None:
    poses = shown().poses.clone()
    poses[:, :, :3] *= 7.0
    torch.testing.assert_close(checked(poses, "x"), shown().poses)


def test_views_are_paired_by_their_cameras() -> None:
    one = shown(views=4)
    two = Cameras(one.poses[[2, 0]] + 1e-6, one.size, one.focal)
    assert same(two, one) == [(0, 2), (1, 0)]
    assert same(Cameras(one.poses, (9, 15), one.focal), one) == []
    assert same(Cameras(one.poses, one.size, 1.1 * one.focal), one) == []
    assert same(Cameras(one.poses + 0.01, one.size, one.focal), one) == []


@pytest.mark.parametrize(("solid", "length"), [(0.0, 2.0), (0.3, 1.5), (4.0, 2.0), (80.0, 1.0)])
def test_a_slab_has_a_closed_form(solid: float, length: float) -> None:
    # C = c (1 - exp(-s L)) + b exp(-s L); dC/ds = L exp(-s L) (c - b)
    c, b = torch.tensor([0.2, 0.9, 0.4]).double(), torch.tensor([1.0, 0.5, 0.0]).double()
    steps = 17
    s = torch.tensor(solid, dtype=torch.float64, requires_grad=True)
    colours = rendering.composite(
        s.expand(1, 1, steps),
        c.expand(1, 1, steps, 3),
        torch.full((1, 1), length / steps, dtype=torch.float64),
        b,
    )[0, 0]
    left = math.exp(-solid * length)
    torch.testing.assert_close(colours, c * (1 - left) + b * left, atol=1e-14, rtol=1e-14)
    (slope,) = torch.autograd.grad(colours[0], s)
    assert float(slope) == pytest.approx(float(length * left * (c - b)[0]), abs=1e-14, rel=1e-12)


def test_nerf_equation_3_is_computed() -> None:
    generator = torch.Generator().manual_seed(0)
    s, c = (torch.rand(2, 3, 5, *n, generator=generator).double() for n in ((), (3,)))
    d = torch.rand(2, 3, generator=generator).double()
    b = torch.tensor([0.3, 0.6, 0.9]).double()
    colours = rendering.composite(4 * s, c, d, b)
    for i, j in np.ndindex(2, 3):
        through, light = 1.0, torch.zeros(3).double()
        for k in range(5):
            alpha = 1.0 - math.exp(-4 * float(s[i, j, k]) * float(d[i, j]))
            light += through * alpha * c[i, j, k]
            through *= 1.0 - alpha
        torch.testing.assert_close(colours[i, j], light + through * b)
    assert torch.autograd.gradcheck(
        lambda x, y: rendering.composite(x, y, d, b), (s.requires_grad_(), c.requires_grad_())
    )


def test_rays_are_sampled_within_the_ball_and_between_near_and_far() -> None:
    rays = shown((12, 16)).every()[None].double()
    begin, length = rendering.interval(rays, 2.0, 6.0, 0.9)
    points = rendering.walk(rays, begin, length, 8)
    met = length > 0
    assert 0.3 < met.double().mean() < 0.95  # some miss
    assert (points[met].norm(dim=-1) <= 0.9 + 1e-9).all()
    ends = rays[..., :3] + begin[..., None] * rays[..., 3:6]
    torch.testing.assert_close(
        ends[met].norm(dim=-1), torch.full_like(ends[met][:, 0], 0.9), atol=1e-5, rtol=0
    )
    gaps = points[met].diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(gaps, (length[met] / 8)[:, None].expand_as(gaps), atol=1e-5, rtol=0)
    miss = shown().poses[0, :, 3].norm()
    begin, length = rendering.interval(rays, float(miss) - 0.3, float(miss) + 0.2, 1.25)
    assert (begin >= miss - 0.3 - 1e-6).all()
    assert (begin + length)[length > 0].max() <= miss + 0.2 + 1e-6
    outside = rays.clone()
    outside[..., 3:6] *= -1.0  # cameras that look away see nothing
    assert (rendering.interval(outside, 2.0, 6.0, 1.25)[1] == 0).all()


def test_samples_converge_to_the_exact_view() -> None:
    cameras = shown((16, 16), 2)
    rays = cameras.every()[None]
    exact = torch.from_numpy(seen(GLASS, *rays[0, :, :6].double().numpy().T.reshape(2, 3, -1)
                                  .transpose(0, 2, 1), np.ones(3)))  # fmt: skip
    errors = []
    for steps in (8, 64, 512):
        begin, length = rendering.interval(rays, 2.0, 6.0, 1.25)
        places = rendering.walk(rays, begin, length, steps)[0].double().numpy()
        solid, light = np.zeros(places.shape[:2]), np.zeros(places.shape)
        for each in GLASS:
            c, s = math.cos(each.turn), math.sin(each.turn)
            local = (places - each.centre) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]).T
            local /= each.size
            inside = (abs(local).max(-1) < 1) if each.box else ((local**2).sum(-1) < 1)
            solid += each.density * inside
            light += (each.density * inside)[..., None] * each.colour
        light /= np.maximum(solid, 1e-12)[..., None]
        colours = rendering.composite(torch.from_numpy(solid)[None], torch.from_numpy(light)[None],
                                    length.double() / steps, torch.ones(3).double())  # fmt: skip
        errors.append(float((colours[0] - exact).abs().mean()))
    assert errors[0] > 4 * errors[1] > 16 * errors[2] and errors[2] < 5e-4


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_harmonics_are_those_of_legendre(degree: int) -> None:
    v = torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64))
    x, y, z = v.numpy().T
    angle, wanted = np.arctan2(y, x), []
    for n in range(degree + 1):
        for m in range(-n, n + 1):
            k = abs(m)
            norm = math.sqrt((2 * n + 1) / (4 * math.pi) * math.factorial(n - k)
                             / math.factorial(n + k))  # fmt: skip
            # scipy's functions have the phase (-1)^m, real harmonics have not
            wave = norm * (-1) ** k * lpmv(k, n, z)
            turn = np.cos(k * angle) if m >= 0 else np.sin(k * angle)
            wanted.append(wave * turn * (math.sqrt(2.0) if k else 1.0))
    harmonics = rendering.harmonics(v, degree)
    np.testing.assert_allclose(harmonics.numpy(), np.stack(wanted, -1), atol=1e-12)


def test_colour_depends_on_the_direction_and_density_does_not() -> None:
    modality = NeRF(directions=2)
    assert modality.value_dim == 1 + 27
    there = shown().every()[None, 55:56]
    behind = there.clone()
    behind[..., :3], behind[..., 3:6] = there[..., :3] + 7.8 * there[..., 3:6], -there[..., 3:6]
    values = torch.rand(1, 1, 32, 28, generator=torch.Generator().manual_seed(1))
    one, two = modality.observe(values, there), modality.observe(values, behind)
    assert (one - two).abs().max() > 0.01
    white = values.clone()
    white[..., 1:] = 0.5
    white[..., 1:4] = 3.0  # the constant harmonic alone
    one, two = modality.observe(white, there), modality.observe(white.flip(2), behind)
    torch.testing.assert_close(one, two, atol=1e-4, rtol=0)


def test_the_layout_of_srn(tmp_path: Path) -> None:
    cameras = shown((8, 8), 3)
    files.save(cameras, glass(cameras), tmp_path / "intrinsics.txt")
    words = (tmp_path / "pose" / "000001.txt").read_text().split()
    # OpenCV: z points into the scene, y down
    columns = np.array(words, float).reshape(4, 4)[:3]
    np.testing.assert_allclose(columns[:, 2], -cameras.poses[1, :, 2], atol=1e-6)
    np.testing.assert_allclose(columns[:, 1], -cameras.poses[1, :, 1], atol=1e-6)
    signal = NeRF(rays=None).read(tmp_path / "intrinsics.txt")
    torch.testing.assert_close(signal.queries[0], cameras.every(), atol=1e-5, rtol=0)
    # intrinsics of the data set are for the pictures' size in its last line
    (tmp_path / "intrinsics.txt").write_text(f"{4 * cameras.focal} 16 16 0.\n0. 0. 0.\n1.\n32 32\n")
    again = NeRF(rays=None).read(tmp_path / "intrinsics.txt")
    torch.testing.assert_close(again.queries, signal.queries)
    for content, says in (("nothing", "intrinsics.txt of a scene"), ("1 2 3", "not 6 or more"),
                          ("9 4 4 0 0 0 0 1 8 9", "the first view has 8 by 8"),
                          ("9 1 4 0 0 0 0 1 8 8", "axis"),
                          ("nan 4 4 0 0 0 0 1 8 8", "not finite")):  # fmt: skip
        (tmp_path / "intrinsics.txt").write_text(content)
        with pytest.raises(SignalError, match=says):
            NeRF().read(tmp_path / "intrinsics.txt")
    (tmp_path / "intrinsics.txt").write_text("9 4 4 0 0 0 0 1 8 8")
    (tmp_path / "pose" / "000002.txt").unlink()
    with pytest.raises(SignalError, match=r"000002\.txt: no such file"):
        NeRF().read(tmp_path / "intrinsics.txt")
    shutil.rmtree(tmp_path / "rgb")
    with pytest.raises(SignalError, match="no pictures"):
        NeRF().read(tmp_path / "intrinsics.txt")


@pytest.mark.parametrize(
    "settings",
    [{"near": 3.0, "far": 2.0}, {"near": -1.0}, {"far": math.inf}, {"bound": 0.0}, {"samples": 0},
     {"background": [1.0]}, {"background": [2.0, 0.0, 0.0]}, {"directions": 3}, {"rays": 0},
     {"frames": 0}, {"near": math.nan}],
)  # fmt: skip
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(SignalError, match="nerf: "):
        NeRF(**settings)


def test_a_codec_does_not_import_a_trainer() -> None:
    code = (
        "import sys; from inrc_modalities.nerf import NeRF; NeRF();"
        "sys.exit('lightning' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not MIC.is_dir(), reason="needs a scene of NeRF's synthetic data")
def test_a_real_scene_in_both_layouts() -> None:
    modality = NeRF(bound=1.5)
    one, two = (modality.read(MIC / n) for n in ("transforms_train.json", "mic_100_train.npz"))
    assert one.shape == two.shape == (100, 40)
    assert dict(one.meta) == dict(two.meta)
    torch.testing.assert_close(one.queries, two.queries, atol=1e-5, rtol=0)
    torch.testing.assert_close(one.features, two.features)
    view = modality.evaluation_view(MIC / "mic_100_train.npz")
    assert modality.plan_queries(one.meta, view).queries.shape == (1, 250000, 7)
