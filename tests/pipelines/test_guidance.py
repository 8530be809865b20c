import torch

from gendeg.pipelines.guidance import branch_weights, guided_prediction


def test_scales_of_one_leave_a_single_branch():
    assert branch_weights(1.0, 1.0) == {"full": 1.0}
    assert set(branch_weights(7.5, 1.0)) == {"image", "full"}
    assert set(branch_weights(1.5, 1.5)) == {"none", "full"}


def test_weighted_branches_equal_the_published_formula():
    random = torch.Generator().manual_seed(0)
    latents, image = torch.randn(2, 2, 4, 5, 6, generator=random)
    embeds, null = torch.randn(2, 7, 8, generator=random), torch.randn(1, 7, 8, generator=random)

    def predict(inputs: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return inputs[:, :4] * text.mean((1, 2))[:, None, None, None] + inputs[:, 4:].sin()

    nothing, none = null.expand_as(embeds), torch.zeros_like(image)
    e_none = predict(torch.cat([latents, none], 1), nothing)
    e_image = predict(torch.cat([latents, image], 1), nothing)
    e_full = predict(torch.cat([latents, image], 1), embeds)
    expected = e_none + 1.5 * (e_image - e_none) + 7.5 * (e_full - e_image)
    guided = guided_prediction(predict, latents, image, embeds, null, branch_weights(7.5, 1.5))
    torch.testing.assert_close(guided, expected)
