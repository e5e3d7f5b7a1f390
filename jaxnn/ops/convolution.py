"""The two-dimensional convolution layer, for images `(n, h, w, c)` and kernels `(kh, kw, c, k)` (NHWC and HWIO).

Written twice: as one matrix product, of what each place of the image meets in the kernel, which is the definition read
aloud, and through `lax.conv_general_dilated`. A GPU and a TPU run the latter. A CPU does in `conv2d_fwd` and
`conv2d_bwd`, but where the product is faster: for a kernel of one place, and in float64, for which XLA's CPU compiler
has no fast convolution. `conv2d` itself is there for `jax.grad` too, and stays a product: the convolutions that JAX
derives from `lax`'s are not of NHWC images and HWIO kernels, with which that compiler is ten times slower inside of a
loop, such as an epoch (jax #12868).
"""

from functools import partial, reduce
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from jaxnn.errors import as_pair, check_shape, check_sizes, require
from jaxnn.ops.activations import Residuals

Pair = int | tuple[int, int]
IMAGES = 8  # at a time, where their axes are turned
Padding = str | tuple[tuple[int, int], tuple[int, int]]


def conv2d(
    x: Float[Array, "n h w c"],
    w: Float[Array, "kh kw c k"],
    b: Float[Array, " k"],
    *,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
) -> Float[Array, "n h2 w2 k"]:
    r"""Return $y_{nijk} = b_k + \sum_{uvc} x_{n, si + du, sj + dv, c}\, w_{uvck}$ with stride $s$ and dilation $d$.

    `x` is first surrounded with zeros: none for `padding="valid"`, as many as keep the size $\lceil h / s \rceil$ for
    `"same"` (an odd one at the bottom and right, as in Keras), or `((top, bottom), (left, right))`. The kernel is not
    flipped, as everywhere in deep learning (lecture section 8.4: each entry of the result is $\mathrm{tr}(K' X_{ij})$).
    """
    return _convolved(_by_product, x, w, b, stride, padding, dilation)


def conv2d_fwd(
    x: Float[Array, "n h w c"],
    w: Float[Array, "kh kw c k"],
    b: Float[Array, " k"],
    *,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
) -> tuple[Float[Array, "n h2 w2 k"], Residuals]:
    on_cpu = _by_product if _product_is_faster(x, w) else _by_lax
    return _convolved(on_cpu, x, w, b, stride, padding, dilation), (x, w)


def conv2d_bwd(
    residuals: Residuals,
    g: Float[Array, "n h2 w2 k"],
    *,
    stride: Pair = 1,
    padding: Padding = "valid",
    dilation: Pair = 1,
) -> tuple[Float[Array, "n h w c"], Float[Array, "kh kw c k"], Float[Array, " k"]]:
    r"""Return $\bar x$, $\bar w_{uvck} = \sum_{nij} x_{n, si + du, sj + dv, c}\, g_{nijk}$, $\bar b = \sum g$.

    $\bar x$ gathers, for each pixel, the outputs that it entered: $g_{nij}\, w_{uv}^\top$ goes back to
    $(si + du, sj + dv)$.
    """
    x, w = residuals
    geometry = _geometry(x.shape, w.shape, stride, padding, dilation)
    on_cpu = _by_product_bwd if _product_is_faster(x, w) else partial(_by_lax_bwd, of_kernel=_correlation_on_cpu)
    dx, dw = lax.platform_dependent(x, w, g, cpu=partial(on_cpu, geometry), default=partial(_by_lax_bwd, geometry))
    return dx, dw, g.sum(axis=(0, 1, 2))


def _convolved(on_cpu, x, w, b, stride, padding, dilation):
    geometry = _geometry(x.shape, w.shape, stride, padding, dilation)
    check_shape("b", b, (w.shape[-1],))
    y = lax.platform_dependent(x, w, cpu=partial(on_cpu, geometry), default=partial(_by_lax, geometry))
    return y + b[None, None, None, :]


def _product_is_faster(x, w):
    one_place = w.shape[:2] == (1, 1)
    return one_place or jnp.result_type(x, w) not in (jnp.float32, jnp.bfloat16, jnp.float16)


def _by_product(geometry, x, w):
    patches, *_ = _patches(geometry, x, w)
    return patches @ w.reshape(-1, w.shape[-1])


def _by_product_bwd(geometry, x, w, g):
    x, w, g = _promoted(x, w, g)
    (top, bottom), (left, right) = geometry.padding
    patches, places, shape = _patches(geometry, x, w)
    dw = jnp.einsum("nijp,nijk->pk", patches, g).reshape(w.shape)
    back = jnp.split(g @ w.reshape(-1, w.shape[-1]).T, len(places), axis=-1)
    dx = reduce(jnp.add, (_put_back(part, place, shape) for part, place in zip(back, places, strict=True)))
    return dx[:, top : shape[1] - bottom, left : shape[2] - right], dw


def _patches(geometry, x, w):
    """Return `(n, h2, w2, kh kw c)`, what the kernel meets at each place, the parts of the padded image that it is made
    of, and that image's shape.

    One product along all of it runs up to three times as fast as one for each entry of the kernel, added up.
    """
    x = jnp.pad(x, ((0, 0), *geometry.padding, (0, 0)))
    places = list(_places(geometry, x.shape, w.shape))
    return jnp.concatenate([x[place] for place in places], axis=-1), places, x.shape


def _by_lax(geometry, x, w):
    x, w = _promoted(x, w)
    return lax.conv_general_dilated(
        x,
        w,
        window_strides=geometry.stride,
        padding=geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _correlation(x, g, **window):
    return lax.conv_general_dilated(x, g, dimension_numbers=("CHWN", "IHWO", "HWNC"), **window)


def _correlation_on_cpu(x, g, **window):
    """Return the same by convolutions of NHWC images and HWIO kernels, so that all axes are turned first.

    To turn many images at once takes longer than their products: 8 of them at a time stay in the caches.
    """

    def of_few(x, g):
        x, g = x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3)
        return lax.conv_general_dilated(x, g, dimension_numbers=("NHWC", "HWIO", "NHWC"), **window)

    def add(block, dw):
        return dw + of_few(*(lax.dynamic_slice_in_dim(a, first + block * IMAGES, IMAGES) for a in (x, g)))

    blocks, first = (len(x) - 1) // IMAGES, (len(x) - 1) % IMAGES + 1  # the first images may be fewer
    dw = of_few(x[:first], g[:first])
    return (lax.fori_loop(0, blocks, add, dw) if blocks else dw).transpose(1, 2, 0, 3)


def _by_lax_bwd(geometry, x, w, g, of_kernel=_correlation):
    """Both cotangents are convolutions: of `g`, zeros between its entries, with the turned kernel; of `x` with `g`."""
    x, w, g = _promoted(x, w, g)
    dx_padding, dw_padding = [], []
    sides = zip(x.shape[1:3], w.shape[:2], g.shape[1:3], *geometry, strict=True)
    for n, k, m, s, (lo, _), d in sides:
        reach, strided = (k - 1) * d, (m - 1) * s + 1  # what a kernel, and g with zeros between, cover
        dx_padding.append((reach - lo, n - strided + lo))
        dw_padding.append((lo, strided + reach - n - lo))
    dx = lax.conv_general_dilated(
        g,
        w[::-1, ::-1].swapaxes(2, 3),
        window_strides=(1, 1),
        padding=dx_padding,
        lhs_dilation=geometry.stride,
        rhs_dilation=geometry.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    dw = of_kernel(x, g, window_strides=geometry.dilation, padding=dw_padding, rhs_dilation=geometry.stride)
    return dx, dw


def _promoted(*arrays):
    """Return the arrays in the dtype that arithmetic between them has, which `lax` leaves to its callers."""
    dtype = jnp.result_type(*arrays)
    return [jnp.asarray(array, dtype) for array in arrays]


class _Geometry(NamedTuple):
    stride: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int]


def _geometry(x_shape, w_shape, stride, padding, dilation):
    """Return everything as pairs over height and width; raise where the kernel does not fit."""
    check_sizes("x", x_shape, ("n", "h", "w", "c"))
    check_sizes("w", w_shape, ("kh", "kw", x_shape[3], "k"))
    stride, dilation = as_sides("stride", stride), as_sides("dilation", dilation)
    reach = [(k - 1) * d + 1 for k, d in zip(w_shape[:2], dilation, strict=True)]
    padding = _explicit_padding(padding, x_shape[1:3], reach, stride)
    room = [n + sum(p) for n, p in zip(x_shape[1:3], padding, strict=True)]
    require(room[0] >= reach[0] and room[1] >= reach[1], "w", f"a reach of {reach}", f"one that fits into {room}")
    return _Geometry(stride, padding, dilation)


def as_sides(name: str, value: Pair) -> tuple[int, int]:
    """Return two whole numbers, for height and width, given one for both or a pair."""
    single = isinstance(value, int | np.integer)
    return as_pair(name, (value, value) if single else value)


def _explicit_padding(padding, sizes, reach, stride):
    if isinstance(padding, str):
        name = padding.lower()
        require(
            name in ("valid", "same"), "padding", repr(padding), "'valid', 'same' or ((top, bottom), (left, right))"
        )
        if name == "valid":
            return (0, 0), (0, 0)
        rows, columns = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(sizes, reach, stride, strict=True)]
        return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)
    both = padding if isinstance(padding, tuple | list) and len(padding) == 2 else (None, None)
    rows, columns = (as_pair("padding", edges, least=0) for edges in both)
    return (rows[0], rows[1]), (columns[0], columns[1])


def _places(geometry, shape, w_shape):
    """Yield the part of the padded image, a strided slice, that each entry of the kernel meets, row by row."""
    (s, t), _, (d, e) = geometry
    (_, h, w, _), (kh, kw, _, _) = shape, w_shape
    height, width = h - (kh - 1) * d, w - (kw - 1) * e
    for u in range(kh):
        for v in range(kw):
            yield (slice(None), slice(u * d, u * d + height, s), slice(v * e, v * e + width, t))


def _put_back(g, place, shape):
    """Return zeros of `shape` with `g` at `place`: what taking the part `place` does, backwards."""
    edges = [(0, 0, 0)]
    for part, n, m in zip(place[1:], shape[1:3], g.shape[1:3], strict=True):
        last = part.start + (m - 1) * part.step + 1
        edges.append((part.start, n - last, part.step - 1))
    return lax.pad(g, jnp.zeros((), g.dtype), [*edges, (0, 0, 0)])
