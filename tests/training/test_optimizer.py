"""Orthogonalisation, the split between Muon and Adam, averages and state."""

import torch

from infill_engine.model.diffusion_gemma import DiffusionGemma
from training.initialise import initialise
from training.optimizer import LearningRates, Optimizer, orthogonalise
from training.presets import PRESETS

RATES = LearningRates(0.02, 0.004, 0.003)


def toy() -> DiffusionGemma:
    model = DiffusionGemma(PRESETS["toy"].model)
    initialise(model, 0)
    return model


def fake_gradients(model: DiffusionGemma, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)


def test_orthogonalised_singular_values_are_near_one() -> None:
    for shape in ((3, 32, 64), (2, 64, 32), (1, 48, 48)):
        matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        values = torch.linalg.svdvals(orthogonalise(matrices))
        assert float(values.min()) > 0.3
        assert float(values.max()) < 1.4


def test_working_weights_are_rounded_masters() -> None:
    model = toy().bfloat16()
    optimizer = Optimizer(model, RATES, 0.9)
    for seed in range(3):
        fake_gradients(model, seed)
        optimizer.step(1.0)
    masters = optimizer.masters(averaged=False)
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.bfloat16
        assert torch.equal(parameter, masters[name].bfloat16()), name
        assert parameter.grad is None
        assert not torch.equal(masters[name], optimizer.masters(averaged=True)[name]), name


def test_factor_zero_changes_nothing() -> None:
    model = toy()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = Optimizer(model, RATES, 0.9)
    fake_gradients(model, 0)
    optimizer.step(0.0)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_state_goes_on_exactly() -> None:
    models = [toy(), toy()]
    first, second = (Optimizer(model, RATES, 0.9) for model in models)
    fake_gradients(models[0], 0)
    first.step(1.0)
    second.load_state_dict(first.state_dict())
    for model, optimizer in zip(models, (first, second), strict=True):
        fake_gradients(model, 1)
        optimizer.step(0.5)
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_masters_alone_restart_the_rest() -> None:
    model = toy()
    optimizer = Optimizer(model, RATES, 0.9)
    tensors = {f"master/{name}": p.detach().bfloat16() for name, p in model.named_parameters()}
    optimizer.load_state_dict({"num_steps": 0, "tensors": tensors})
    fake_gradients(model, 0)
    optimizer.step(1.0)
    assert optimizer.num_steps == 1
