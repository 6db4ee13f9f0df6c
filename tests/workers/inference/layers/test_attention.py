"""Attention in bfloat16 by plain products: nearly what torch's kernel gives, a part of the pictures at a time."""

import pytest
import torch
import torch.nn.functional as F

from workers.inference.layers import attention
from workers.inference.layers.attention import attend


def tokens(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + sum(shape)))


@pytest.fixture
def by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor whose fused kernel gains nothing by bfloat16."""
    monkeypatch.setattr(attention, "products_are_faster", lambda: True)


@pytest.mark.usefixtures("by_products")
@pytest.mark.parametrize("most", [1, 2 * 3 * 20 * 20, 10**9])
def test_in_bfloat16_the_results_are_nearly_those_in_float32_however_many_pictures_at_a_time(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "MOST_SCORES", most)
    query, keys, values = tokens(5, 3, 20, 16), tokens(5, 3, 20, 16) * 2, tokens(5, 3, 20, 16) + 1
    right = F.scaled_dot_product_attention(query, keys, values, scale=0.25)
    found = attend(query.bfloat16(), keys.bfloat16(), values.bfloat16(), 0.25)
    assert found.dtype == torch.bfloat16
    assert found.shape == right.shape
    assert float((found - right).norm() / right.norm()) < 0.01


@pytest.mark.usefixtures("by_products")
def test_one_token_that_all_heads_ask_of_the_same_keys() -> None:
    query, patches = tokens(4, 1, 8, 32), tokens(4, 1, 77, 32)
    right = F.scaled_dot_product_attention(query, patches, patches, scale=0.1)
    found = attend(query.bfloat16(), patches.bfloat16(), patches.bfloat16(), 0.1)
    assert float((found - right).norm() / right.norm()) < 0.01


@pytest.mark.usefixtures("by_products")
def test_float32_stays_with_the_kernel_bit_by_bit() -> None:
    query, keys, values = tokens(2, 3, 9, 8), tokens(2, 3, 9, 8) * 3, tokens(2, 3, 9, 8) - 1
    right = F.scaled_dot_product_attention(query, keys, values, scale=0.3)
    assert torch.equal(attend(query, keys, values, 0.3), right)


def test_the_processor_is_asked_once_which_of_both_is_faster() -> None:
    attention.products_are_faster.cache_clear()
    assert attention.products_are_faster() in (True, False)
    assert attention.products_are_faster.cache_info().currsize == 1
