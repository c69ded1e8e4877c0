"""Radiance scenes: files to rays and back, rendering against closed forms, and quality."""

import json
import math
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
import skimage.metrics
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import lpmv
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import View
from inrc.testing import check_modality
from inrc_modalities.nerf import NeRF, files, header, orbit, rendering, sample
from inrc_modalities.nerf.cameras import Cameras, checked, same
from inrc_modalities.nerf.modality import spread
from inrc_modalities.nerf.solids import Solid, seen

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MIC = Path(__file__).parents[2] / "shared" / "data" / "nerf" / "mic_100"
HALF = 0.5 / 255.0
GLASS = [Solid(False, np.array([0.2, 0.0, 0.1]), np.full(3, 0.7), 0.0, 3.0, np.array([1, 0.5, 0])),
         Solid(True, np.array([-0.2, 0.1, 0.0]), np.array([0.3, 0.5, 0.4]), 0.4, 2.0,
               np.array([0.1, 0.2, 0.9]))]  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two scenes of the sample."""
    return NeRF(bound=1.25, frames=6).sample(tmp_path_factory.mktemp("drawn"), 0, 2)


def shown(
    size: tuple[int, int] = (9, 14), views: int = 3, path: list[int] | None = None
) -> Cameras:
    """Cameras on a circle, 3.9 away from the origin."""
    poses = orbit.circle(path or [13, 3, 0, 0, 0, 0], views, 6.0)
    return Cameras(poses, size, float(np.float32(1.7 * size[1])))


def glass(cameras: Cameras) -> np.ndarray:
    """What the cameras see of the two solids before white, in 8 bits."""
    rays = cameras.every().double().numpy()
    colours = seen(GLASS, rays[:, :3], rays[:, 3:6], np.ones(3))
    return (colours * 255 + 0.5).astype(np.uint8).reshape(len(cameras), *cameras.size, 3)


def truth(path: Path) -> Callable[[Tensor], Tensor]:
    """The exact field of a scene of the sample."""
    seed, number = (int(word) for word in path.parent.name.split("-")[1:])
    solids = sample.drawn(seed, number, 1.0)

    def answer(queries: Tensor) -> Tensor:
        rays = queries.double().numpy().reshape(-1, 7)
        colours = seen(solids, rays[:, :3], rays[:, 3:6], np.ones(3))
        return torch.from_numpy(colours).float().reshape(*queries.shape[:2], 3)

    return answer


# the contract


def test_a_turntable_is_rebuilt_from_scenes(drawn: list[Path], tmp_path: Path) -> None:
    check_modality(NeRF(bound=1.25, frames=6), drawn, tmp_path / "law", HALF, truth)


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
    found = signal.features[0].reshape(4, 11, 12, 3)[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-6)
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


# cameras


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
        (lambda p: p[:3, 0].mul_(1.2), "no rotation"),
        (lambda p: p[0, 3].fill_(math.nan), "not finite"),
        (lambda p: p[0, 3].fill_(1e30), "absurdly"),
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


# rendering


@pytest.mark.parametrize(("solid", "length"), [(0.0, 2.0), (0.3, 1.5), (4.0, 2.0), (80.0, 1.0)])
def test_a_slab_has_a_closed_form(solid: float, length: float) -> None:
    # C = c (1 - exp(-s L)) + b exp(-s L); dC/ds = L exp(-s L) (c - b)
    c, b = torch.tensor([0.2, 0.9, 0.4]).double(), torch.tensor([1.0, 0.5, 0.0]).double()
    steps = 17
    s = torch.tensor(solid, dtype=torch.float64, requires_grad=True)
    found = rendering.composite(
        s.expand(1, 1, steps),
        c.expand(1, 1, steps, 3),
        torch.full((1, 1), length / steps, dtype=torch.float64),
        b,
    )[0, 0]
    left = math.exp(-solid * length)
    torch.testing.assert_close(found, c * (1 - left) + b * left, atol=1e-14, rtol=1e-14)
    (slope,) = torch.autograd.grad(found[0], s)
    assert float(slope) == pytest.approx(float(length * left * (c - b)[0]), abs=1e-14, rel=1e-12)


def test_nerf_equation_3_is_computed() -> None:
    generator = torch.Generator().manual_seed(0)
    s, c = (torch.rand(2, 3, 5, *n, generator=generator).double() for n in ((), (3,)))
    d = torch.rand(2, 3, generator=generator).double()
    b = torch.tensor([0.3, 0.6, 0.9]).double()
    found = rendering.composite(4 * s, c, d, b)
    for i, j in np.ndindex(2, 3):
        through, light = 1.0, torch.zeros(3).double()
        for k in range(5):
            alpha = 1.0 - math.exp(-4 * float(s[i, j, k]) * float(d[i, j]))
            light += through * alpha * c[i, j, k]
            through *= 1.0 - alpha
        torch.testing.assert_close(found[i, j], light + through * b)
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
        found = rendering.composite(torch.from_numpy(solid)[None], torch.from_numpy(light)[None],
                                    length.double() / steps, torch.ones(3).double())  # fmt: skip
        errors.append(float((found[0] - exact).abs().mean()))
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
    found = rendering.harmonics(v, degree)
    np.testing.assert_allclose(found.numpy(), np.stack(wanted, -1), atol=1e-12)


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


# views


def test_any_cameras_can_be_asked(tmp_path: Path, drawn: list[Path]) -> None:
    modality = NeRF(bound=1.25, frames=6)
    meta = modality.read(drawn[0]).meta
    held = modality.judged(drawn[0])
    assert held.at is not None and held.at.name == "transforms_test.json"
    ask = modality.ask(meta, held)
    assert ask.queries.shape == (1, 6 * 1024, 7) and ask.parts == (0,)
    signal = modality.join(truth(drawn[0])(ask.queries), meta, held)
    modality.write(signal, tmp_path / "x.json")
    assert modality.measure(drawn[0], tmp_path / "x.json")["psnr"] > 50
    # the turntable is the held-out path of the sample
    torch.testing.assert_close(modality.ask(meta, View()).queries, ask.queries, atol=1e-5, rtol=0)
    fine = modality.ask(meta, View(scale=2.0, at=held.at, region=(("view", 1.0, 3.0),)))
    assert fine.queries.shape == (1, 2 * 4096, 7)
    coarse = fine.queries[0, :, 3:6].reshape(2, 32, 2, 32, 2, 3).mean((2, 4)).flatten(0, 2)
    torch.testing.assert_close(torch.nn.functional.normalize(coarse),
                               ask.queries[0, 1024:3072, 3:6], atol=1e-5, rtol=0)  # fmt: skip
    alone = shutil.copytree(drawn[0].parent, tmp_path / "alone") / drawn[0].name
    (alone.parent / "transforms_test.json").unlink()
    assert modality.judged(alone) == View(at=alone)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (View(region=(("view", 0.0, 0.0),)), "none from 0 to 0"),
        (View(region=(("view", 9.0, 12.0),)), "there are 0 to 6"),
        (View(region=(("view", 0.0, math.inf),)), "not finite"),
        (View(region=(("view", 0.0, 1.0), ("view", 0.0, 2.0))), "twice"),
        (View(scale=1e9), "more than"),
        (View(scale=-1.0), "above 0"),
        (View(at=Path("nowhere.json")), "nowhere.json: no such file"),
        (View(at=Path("cameras.xyz")), "cameras.xyz: not a scene"),
    ],
)
def test_views_that_make_no_sense(drawn: list[Path], view: View, says: str) -> None:
    modality = NeRF(bound=1.25, frames=6)
    with pytest.raises(SignalError, match=re.escape(says)):
        modality.ask(modality.read(drawn[0]).meta, view)


def test_a_header_is_small_and_hostile_ones_are_refused(drawn: list[Path]) -> None:
    modality = NeRF(bound=1.25, frames=6)
    one, two = (dict(modality.read(path).meta) for path in drawn)
    assert one == two, "scenes that were photographed alike cost nothing"
    wrong: list[dict[str, Any]] = [
        {key: value}
        for key, values in {
            "views": [0, 1 << 20, True, 2.0, None, "3"],
            "rays": [0, 1025, 1.0],
            "size": [[32], [32, 1 << 15], "ab", [32, 32.0], None],
            "focal": [0.0, 1e-9, 1e9, math.nan, 51, None],
            "orbit": [None, [1] * 5, [0, 0, 0, 0, 0, 0], [1, 9, 0, 0, 0, 0], [1, 0, 6, 0, 0, 0],
                      [1, 0, 0, 1 << 40, 0, 0], [1, 0, 0, 0.0, 0, 0]],
            "poses": [b"", b"\0" * 48, "x", b"\xff" * 48 * 20],
        }.items()
        for value in values
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(SignalError, match="no scene can have"):
            modality.shape(one | change)
    with pytest.raises(SignalError):
        modality.shape({})
    assert header.shape(one) == (20, 204)


@QUICK
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 9))
def test_some_pixels_are_different_and_from_everywhere(pixels: int, count: int, view: int) -> None:
    found = spread(pixels, min(count, pixels), view)
    assert len(found) == min(count, pixels) and (found.diff() > 0).all()
    assert found[0] >= 0 and found[-1] < pixels
    assert found.diff().max() <= 2 * -(-pixels // len(found)) if len(found) > 1 else True


def test_few_rays_of_many_views_are_kept(drawn: list[Path]) -> None:
    whole, some, least = (NeRF(rays=n).read(drawn[0]) for n in (None, 100, 7))
    assert whole.shape == (20, 1024) and some.shape == (20, 5) and least.shape == (20, 1)
    rays = whole.queries[0].tolist()
    index = [rays.index(ray) for ray in some.queries[0].tolist()]
    assert torch.equal(whole.features[0, index], some.features[0])
    assert [n // 1024 for n in index] == [n for n in range(20) for _ in range(5)]
    assert NeRF().count(some.shape) == 20


# files


def test_a_turntable_can_be_watched(tmp_path: Path, drawn: list[Path]) -> None:
    modality = NeRF(bound=1.25, frames=5)
    meta = modality.read(drawn[0]).meta
    view = View(scale=33 / 32)
    queries = modality.ask(meta, view).queries
    signal = modality.join(truth(drawn[0])(queries), meta, view)
    levels = (signal.features * 255 + 0.5).to(torch.uint8).reshape(5, 33, 33, 3).numpy()
    for name, size in (("a.mkv", 33), ("a.MP4", 34)):
        modality.write(signal, tmp_path / name)
        with av.open(str(tmp_path / name)) as file:
            assert file.streams.video[0].average_rate == 12
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert len(frames) == 5 and frames[0].shape == (size, size, 3)
        off = np.abs(np.stack(frames)[:, :33, :33].astype(int) - levels)
        assert off.mean() <= (0.0 if name == "a.mkv" else 6.0), name
    modality.write(signal, tmp_path / "b.json")
    said = json.loads((tmp_path / "b.json").read_text())
    assert said["camera_angle_x"] == pytest.approx(2 * math.atan(16.5 / signal.meta["focal"]))
    # as NeRF's own loader has it: the name and .png
    one = PIL.Image.open(tmp_path / (said["frames"][3]["file_path"] + ".png"))
    assert np.array_equal(np.asarray(one), levels[3])
    modality.write(signal, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        assert np.array_equal(arrays["images"], levels) and arrays["poses"].shape == (5, 4, 4)
    with pytest.raises(SignalError, match=r"b\.gif: cannot write"):
        modality.write(signal, tmp_path / "b.gif")
    with pytest.raises(SignalError, match="decode it first"):
        modality.write(modality.read(drawn[0]), tmp_path / "c.json")


def broken(folder: Path, **changes: Any) -> Path:
    """A small sound scene with some of its description replaced."""
    cameras = shown((6, 6), 5)
    path = folder / "transforms.json"
    files.save(cameras, glass(cameras), path)
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"frames": []}, "names no views"),
        ({"frames": None}, "no list of frames"),
        ({"frames": [{}]}, "frame 0 names no picture"),
        ({"frames": [{"file_path": "a\0b"}]}, "no disk can hold"),
        ({"frames": [{"file_path": "transforms/r_0"}]}, "frame 0 has no transform_matrix"),
        ({"frames": [{"file_path": "transforms/r_0", "transform_matrix": [[1, 2], [3]]}]}, "pose"),
        ({"frames": [{"file_path": f"no/{i}"} for i in range(9)]}, "9 pictures.*no/2.png and 6 mo"),
        ({"fl_x": None, "camera_angle_x": 3.2}, "between 0 and pi"),
        ({"fl_x": None, "camera_angle_x": None}, "between 0 and pi"),
        ({"fl_x": math.nan}, "fl_x is not a number"),
        ({"fl_x": 1e-9}, "cannot be right"),
        ({"fl_y": 5.0}, "square pixels"),
        ({"cx": 1.0}, "cx is not the middle"),
        ({"k1": 0.2}, "distorted"),
        ({"w": 7}, "says 7 by 6 pixels"),
        ({"h": "6"}, "h is not a number"),
    ],
)
def test_descriptions_that_are_none(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    path = broken(tmp_path, **changes)
    with pytest.raises(SignalError, match=says) as refused:
        NeRF().read(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def bomb(height: int, width: int) -> bytes:
    """A PNG that says it is huge."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + end


@pytest.mark.parametrize(
    ("number", "content", "says"),
    [
        (0, bomb(60000, 60000), "r_0.png.*exceeds limit"),
        (0, bomb(20000, 6), "says 6 by 6 pixels, but its first view has 6 by 20000"),
        (2, bomb(60000, 60000), "r_2.png.*exceeds limit"),
        (2, bomb(7, 6), "r_2.png: 6 by 7 pixels, but the first"),
        (2, bomb(6, 6), "r_2.png.*damaged"),
        (2, b"", "r_2.png.*damaged"),
        (2, b"nothing", "r_2.png.*not a PNG"),
    ],
)
def test_pictures_that_are_none(tmp_path: Path, number: int, content: bytes, says: str) -> None:
    path = broken(tmp_path)
    (tmp_path / "transforms" / f"r_{number}.png").write_bytes(content)
    with pytest.raises(SignalError, match=says):
        NeRF().read(path)


def test_pictures_of_16_bits_are_refused(tmp_path: Path) -> None:
    path = broken(tmp_path)
    deep = PIL.Image.fromarray(np.zeros((6, 6), np.uint16))
    deep.save(tmp_path / "transforms" / "r_1.png")
    with pytest.raises(SignalError, match=r"r_1\.png: pixels of kind 'I;16'"):
        NeRF().read(path)


def test_arrays_that_are_none(tmp_path: Path) -> None:
    cameras = shown((6, 6), 2)
    sound: dict[str, Any] = {"images": glass(cameras), "poses": cameras.poses.numpy(), "focal": 8.0}
    path = tmp_path / "a.npz"
    np.savez(path, **sound)
    assert NeRF().read(path).shape == (2, 36)
    np.savez(path, **sound | {"images": sound["images"] / 255.0})
    floats = NeRF().read(path)
    np.savez(path, **sound | {"images": np.concatenate([sound["images"]] * 2, -1)[..., :4]})
    assert NeRF().read(path).features.shape == floats.features.shape
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"images": sound["images"].astype(np.int16)}, "type int16"),
        ({"images": sound["images"].astype(np.float32)}, "images of 0|images of [0-9]+ to 255"),
        ({"images": np.full((2, 6, 6, 3), np.nan)}, "images of nan"),
        ({"images": sound["images"][0]}, "V H W 3"),
        ({"images": sound["images"][..., :2]}, "V H W 3"),
        ({"images": sound["images"][:0], "poses": sound["poses"][:0]}, "V H W 3"),
        ({"poses": sound["poses"][:1]}, "do not fit 2 images"),
        ({"poses": np.zeros((2, 4, 4))}, "singular"),
        ({"focal": [1.0, 2.0]}, "2 focal lengths"),
        ({"focal": math.nan}, "cannot be right"),
        ({"focal": "far"}, "focal of type"),
        ({"focal": np.array([None])}, "focal of type object"),
    ]
    for change, says in wrong:
        np.savez(path, **sound | change)
        with pytest.raises(SignalError, match=says) as refused:
            NeRF().read(path)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    del sound["focal"]
    np.savez(path, **sound)
    with pytest.raises(SignalError, match="no array 'focal'"):
        NeRF().read(path)


def test_an_archive_that_declares_too_much_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((1, 2, 2, 3), np.uint8), poses=shown(views=1).poses, focal=2.0)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["images.npy"] = members["images.npy"].replace(
        b"(1, 2, 2, 3), ", b"(1, 90000, 90000, 3), "
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(SignalError, match=r"a\.npz"):
        NeRF().read(path)


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
    for content, says in (("nothing", "intrinsics.txt of a scene"), ("1 2 3", "too few"),
                          ("9 4 4 0 0 0 0 1 8 9", "not 8 by 8"), ("9 1 4 0 0 0 0 1 8 8", "axis"),
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


# quality


def test_psnr_and_ssim_are_those_of_scikit_image(tmp_path: Path) -> None:
    cameras = shown((24, 30), 3)
    levels = glass(cameras)
    noisy = np.clip(levels + np.random.default_rng(0).normal(0, 12, levels.shape), 0, 255)
    files.save(cameras, levels, tmp_path / "a.json")
    order = [2, 0]
    some = Cameras(cameras.poses[order], cameras.size, cameras.focal)
    files.save(some, noisy.astype(np.uint8)[order], tmp_path / "b.npz")
    found = NeRF().measure(tmp_path / "a.json", tmp_path / "b.npz")
    ratios, likeness = [], []
    for i in order:
        one, two = (each[i].astype(np.uint8) / 255.0 for each in (levels, noisy))
        ratios.append(skimage.metrics.peak_signal_noise_ratio(one, two, data_range=1.0))
        likeness.append(
            skimage.metrics.structural_similarity(
                one, two, data_range=1.0, channel_axis=-1, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False,
            )
        )  # fmt: skip
    assert found["psnr"] == pytest.approx(np.mean(ratios), abs=1e-3)
    assert found["ssim"] == pytest.approx(np.mean(likeness), abs=1e-3)
    pair = NeRF().picture(tmp_path / "a.json", tmp_path / "b.npz")
    assert pair is not None and pair[0]["image"].shape == (24, 30, 3)
    assert np.array_equal((pair[0]["image"] * 255).round(), levels[2])
    four = shown((4, 6), 5)
    files.save(four, glass(four), tmp_path / "c.json")
    pair = NeRF().picture(tmp_path / "c.json", tmp_path / "c.json")
    assert pair is not None and pair[1]["image"].shape == (8, 12, 3)
    assert np.array_equal((pair[1]["image"][4:, 6:] * 255).round(), glass(four)[3])
    assert NeRF().measure(tmp_path / "a.json", tmp_path / "a.json") == {"psnr": math.inf, "ssim": 1}


def test_held_out_views_are_preferred_and_others_refused(tmp_path: Path) -> None:
    train, held, strange = (
        shown((12, 12), 3),
        shown((12, 12), 4, [13, 1, 0, 0, 0, 0]),
        shown((12, 12), 5),
    )
    strange = Cameras(strange.poses[1:3], strange.size, strange.focal)
    files.save(train, glass(train), tmp_path / "a_train.npz")
    files.save(held, glass(held), tmp_path / "a_test.npz")
    assert NeRF().judged(tmp_path / "a_train.npz").at == tmp_path / "a_test.npz"
    both = Cameras(torch.cat([train.poses, held.poses]), train.size, train.focal)
    levels = glass(both)
    levels[:3] = 0  # the training views are not looked at if there are held-out ones
    files.save(both, levels, tmp_path / "both.json")
    assert NeRF().measure(tmp_path / "a_train.npz", tmp_path / "both.json")["psnr"] == math.inf
    files.save(strange, glass(strange), tmp_path / "other.npz")
    with pytest.raises(SignalError, match=r"decode it with --at .*a_test\.npz"):
        NeRF().measure(tmp_path / "a_train.npz", tmp_path / "other.npz")
    assert NeRF().picture(tmp_path / "a_train.npz", tmp_path / "other.npz") is None
    assert [files.is_scene(Path(n)) for n in ("a_train.npz", "a_test.npz", "x/transforms_val.json",
            "latest.npz", "a.png")] == [True, False, False, True, False]  # fmt: skip


@pytest.mark.parametrize("size", [(9, 14), (40, 33)])
def test_hevc_stores_the_views(tmp_path: Path, size: tuple[int, int]) -> None:
    cameras = shown(size, 4)
    files.save(cameras, glass(cameras), tmp_path / "a.json")
    modality = NeRF()
    (baseline,) = modality.baselines()
    sizes, quality = [], []
    for setting in (baseline.qualities[0], baseline.qualities[-1]):
        data = baseline.encode(tmp_path / "a.json", setting)
        baseline.decode(data, tmp_path / "a.json", tmp_path / f"{setting}.json")
        sizes.append(len(data))
        found = modality.measure(tmp_path / "a.json", tmp_path / f"{setting}.json")
        quality.append(found["psnr"])
    assert sizes[0] < sizes[1] and quality[0] < 30 < quality[1]


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
    view = modality.judged(MIC / "mic_100_train.npz")
    assert modality.ask(one.meta, view).queries.shape == (1, 250000, 7)
