"""Muon for matrices, AdamW for the rest, and the running mean of the weights.

Muon (K. Jordan, 2024): the momentum of a matrix is made nearly orthogonal by five Newton-Schulz steps before it is
added, which in the feasibility study was what made a model this small learn to look. Written out here because torch has
it from 2.9 only, and because its own works in bfloat16, which many CPUs do slowly.

Nothing here waits for the GPU: what depends on a gradient's value is decided there.
"""
import torch

A, B, C = 3.4445, -4.7750, 2.0315  # the quintic's coefficients: fast to near 1, not exact


def orthogonal(matrices, dtype, steps=5):
    """Matrices [n, rows, columns] with the row and column spaces of the given ones and singular values near 1. dtype: of
    the products, bfloat16 where the hardware has it."""
    x = matrices.to(dtype)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if dtype != torch.float32 or x.shape[2] < 2 * x.shape[1]:  # s squares what is small: too much for bfloat16
        for _ in range(steps):
            s = x @ x.mT
            x = A * x + (B * s + C * s @ s) @ x
    else:  # the same on the small square s alone: every step multiplies x by a polynomial p of s, and s by p twice
        s, product = x @ x.mT, None
        one = A * torch.eye(s.shape[1], dtype=s.dtype, device=s.device)
        for i in range(steps):
            p = torch.baddbmm(one + B * s, s, s, alpha=C)
            product = p if product is None else p @ product
            if i + 1 < steps:
                s = p @ s @ p
        x = product @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr, dtype, momentum=0.95, weight_decay=0.05):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))
        self.dtype = dtype

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            same = {}  # matrices of one shape go together: a GPU would else wait for a thousand small products
            for p in group["params"]:
                if p.grad is not None:
                    same.setdefault(tuple(p.shape), []).append(p)
            for shape, ps in same.items():
                self._step(ps, group, 0.2 * max(shape) ** 0.5)

    def _step(self, ps, group, scale):
        """scale makes the update as large as AdamW's, so that learning rates carry over. The first matrix of a shape
        keeps the momentum of all."""
        state, gradient = self.state[ps[0]], torch.stack([p.grad for p in ps])
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        update = orthogonal(gradient.lerp_(state["momentum"], group["momentum"]), self.dtype)
        torch._foreach_mul_(ps, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(ps, list(update.unbind(0)), alpha=-group["lr"] * scale)


class Flat:
    """All parameters in one piece of memory, and all gradients in another, so that clipping, the running mean and the
    choice between the two are one operation each. `mean` is the running mean."""

    def __init__(self, parameters):
        parameters = list(parameters)
        self.weights = torch.cat([p.detach().float().reshape(-1) for p in parameters])
        self.gradient = torch.zeros_like(self.weights)
        self.mean, self.steps, at = self.weights.clone(), 0, 0
        for p in parameters:
            p.data = self.weights[at : at + p.numel()].view(p.shape)
            p.grad = self.gradient[at : at + p.numel()].view(p.shape)
            at += p.numel()

    def clip(self, most=1.0):
        """Scales the gradient to a norm of at most `most`; one that is not finite becomes nought. Returns 1 where that
        happened, as a tensor."""
        norm = self.gradient.norm()
        good = torch.isfinite(norm)
        self.gradient.mul_(torch.where(good, (most / (norm + 1e-6)).clamp(max=1), torch.zeros_like(norm)))
        self.gradient.nan_to_num_(0.0, 0.0, 0.0)
        return (~good).float()

    def average(self, decay=0.999):
        self.steps += 1
        self.mean.lerp_(self.weights, 1 - min(decay, (1 + self.steps) / (10 + self.steps)))

    def swap(self):
        """Exchanges the weights and their mean."""
        kept = self.weights.clone()
        self.weights.copy_(self.mean)
        self.mean.copy_(kept)


def optimizers(model, head, lr, vision_lr, dtype):
    """[Muon, AdamW] over the model and the tag head. vision_lr scales the vision blocks' rate (0.3 to 0.5 once they are
    trained)."""
    text, vision, tables, small = [], [], [], []
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if p.ndim == 2 and "embed" not in name:
            (vision if "visual.blocks" in name else text).append(p)
        else:
            (tables if p.ndim >= 2 else small).append(p)
    muon = Muon([dict(params=text, lr=lr), dict(params=vision, lr=lr * vision_lr)], lr, dtype)
    adam = torch.optim.AdamW(
        [
            dict(params=tables, lr=lr * 0.7),
            dict(params=small, lr=lr * 0.5),
            dict(params=list(head.parameters()), lr=lr * 4),  # it begins at nought, on features that are there
        ],
        betas=(0.9, 0.98),
        eps=1e-8,
        weight_decay=0.0,
    )
    for o in (muon, adam):
        for g in o.param_groups:
            g["base"] = g["lr"]
    return [muon, adam]


def set_rate(opts, factor):
    """Every group's learning rate: its base times the schedule's factor."""
    for o in opts:
        for g in o.param_groups:
            g["lr"] = g["base"] * factor
