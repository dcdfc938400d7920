"""Starting values of a new model's parameters.

Chosen so that every sublayer starts small beside the residual and attention starts soft; knows
nothing of training.
"""

import torch

from infill_engine.model.diffusion_gemma import DiffusionGemma


@torch.no_grad()
def initialise(model: DiffusionGemma, seed: int) -> None:
    """Overwrite all parameters of `model`, on the CPU, repeatably."""
    generator = torch.Generator().manual_seed(seed)
    size = model.config.hidden_size
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.fill_(_start_of_scale(name, len(parameter), model.config.num_layers))
        elif name == "embed_tokens.weight":
            # embed() scales by sqrt(E): tokens enter the residual at unit size.
            parameter.normal_(0.0, size**-0.5, generator=generator)
        elif name.endswith("router.proj.weight"):
            # Its input has unit length: scores spread by about 1.
            parameter.normal_(0.0, 1.0, generator=generator)
        else:
            parameter.normal_(0.0, parameter.shape[-1] ** -0.5, generator=generator)
    # With a silent self-conditioning the model starts, and may stay, without it.
    model.self_conditioning.down_proj.weight.zero_()


def _start_of_scale(name: str, size: int, num_layers: int) -> float:
    if name == "norm.weight":
        # The tied head would else start by predicting each position's own token.
        return 0.5
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        # Attention does not divide by sqrt(D): the norms' weights do it instead.
        return size**-0.25
    if name.endswith(("post_attention_layernorm.weight", "post_feedforward_layernorm.weight")):
        return (2 * num_layers) ** -0.5
    return 1.0
