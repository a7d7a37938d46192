"""The choice of device and arithmetic, made once at the start.

bfloat16 autocast is used where the hardware multiplies it natively: on CUDA, and in training on CPUs with AVX512-BF16 or AMX.
"""

from contextlib import AbstractContextManager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.errors import InvalidRequest

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is CUDA if available. Raises InvalidRequest for an unknown name or a missing GPU."""
    if name not in DEVICES:
        raise InvalidRequest(f"device {name!r} is unknown", value=name, limit=", ".join(DEVICES))
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidRequest("device is 'cuda', but torch sees no GPU", value=name, limit="auto, cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are faster than float32 ones here."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(device: torch.device, enabled: bool) -> AbstractContextManager[None]:
    """bfloat16 autocast on `device` if `enabled`, else a context without effect."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def attention_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Choose attention kernels: plain matrix products on a CPU, where their backward pass beats the fused kernel's."""
    on_gpu = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    kernels: AbstractContextManager[None] = sdpa_kernel([SDPBackend.MATH] if device.type == "cpu" else on_gpu)
    return kernels
