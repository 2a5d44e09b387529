"""The projection of states: against a full decomposition, and never anything but finite unit vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from localspec.stores.states.transform import KEPT, SEARCHED, Carry, Transform, fit, unit


def like_states(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Correlated dimensions of very different means and deviations, float16 [count, dimension]."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((dimension, dimension)) * np.arange(1, dimension + 1) ** -0.7
    states = generator.standard_normal((count, dimension)) @ mixing.T * np.linspace(0.1, 5, dimension)
    return (states + np.linspace(-30, 30, dimension)).astype(np.float16)


def test_the_components_hold_as_much_variance_as_a_full_decomposition() -> None:
    states = like_states(3000, 400)
    transform = fit(states)
    scaled = (states - transform.mean.astype(float)) / transform.deviation
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(scaled.std(axis=0), 1, atol=1e-3)
    variances = np.linalg.eigvalsh(scaled.T @ scaled / len(scaled))[::-1]
    held = ((scaled @ transform.components.T) ** 2).mean(axis=0)
    assert held[:SEARCHED].sum() > 0.999 * variances[:SEARCHED].sum()
    assert held.sum() > 0.99 * variances[:KEPT].sum()
    assert np.allclose(transform.components @ transform.components.T, np.eye(KEPT), atol=1e-4)
    assert fit(states).to_bytes() == transform.to_bytes()


def test_what_is_stored_gives_the_same_unit_vectors() -> None:
    states = like_states(2000, 200)
    transform = fit(states)
    projected = transform.project(states)
    assert projected.shape == (2000, SEARCHED)
    assert projected.dtype == np.float32
    assert np.allclose(np.linalg.norm(projected, axis=1), 1, atol=1e-5)
    assert np.einsum("nc,nc->n", unit(transform.reduce(states)[:, :SEARCHED]), projected).min() > 0.9999
    again = Transform.from_bytes(transform.to_bytes(), 200)
    assert (again.project(states) == projected).all()


def test_a_later_transform_is_applied_to_what_an_earlier_one_kept() -> None:
    states = like_states(4000, 400)
    old, new = fit(states[:1000]), fit(states)
    carried = Carry(old, new)(old.reduce(states))
    assert np.einsum("nc,nc->n", carried, new.project(states)).mean() > 0.98
    small = like_states(4000, 40)  # all components are kept: nothing is lost
    old, new = fit(small[:1000]), fit(small)
    assert np.einsum("nc,nc->n", Carry(old, new)(old.reduce(small)), new.project(small)).min() > 0.999


@pytest.mark.parametrize(("count", "dimension"), [(1, 5), (32, 576), (40, 3), (200, 64), (500, 1)])
def test_fewer_states_or_dimensions_than_components(count: int, dimension: int) -> None:
    states = like_states(count, dimension)
    transform = fit(states)
    assert np.isfinite(transform.project(like_states(50, dimension, seed=1))).all()
    assert not transform.components[min(count, dimension) :].any()


@settings(max_examples=50, deadline=None)
@given(
    states=arrays(
        np.float16,
        st.tuples(st.integers(1, 40), st.integers(1, 12)),
        elements=st.one_of(
            st.sampled_from([0.0, 65504.0, -65504.0, 6e-8, 1.0]), st.floats(-100, 100, width=16, allow_nan=False)
        ),
    )
)
def test_whatever_was_fitted_results_are_finite_and_of_length_one_or_zero(states: np.ndarray) -> None:
    transform = fit(states)
    others = np.vstack([states, np.full((1, states.shape[1]), 65504, np.float16), -states[:1]])
    for vectors in (transform.project(others), unit(transform.reduce(others)[:, :SEARCHED])):
        lengths = np.linalg.norm(vectors, axis=1)
        assert np.isfinite(vectors).all()
        assert (np.isclose(lengths, 1, atol=1e-3) | (lengths == 0)).all()


def test_constant_dimensions_are_left_out() -> None:
    states = like_states(500, 20)
    states[:, 3], states[:, 7] = 0, 1234
    transform = fit(states)
    changed = states.copy()
    changed[:, 3], changed[:, 7] = 500, -500
    assert (transform.project(changed) == transform.project(states)).all()


def test_other_shapes_are_refused() -> None:
    transform = fit(like_states(50, 8))
    with pytest.raises(ValueError, match="reshape"):
        Transform.from_bytes(transform.to_bytes()[:-4], 8)
    with pytest.raises(ValueError, match="components"):
        Transform(transform.mean, transform.deviation[:-1], transform.components)
    with pytest.raises(ValueError, match="finite"):
        Transform(transform.mean * np.nan, transform.deviation, transform.components)
