"""Where the networks run: the choice of device and of arithmetic, made once at start.

bfloat16 autocast is used where the hardware multiplies it natively (CUDA, and CPUs with AVX512-BF16 when training).
"""

from contextlib import AbstractContextManager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.errors import InvalidRequest

DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str = "auto") -> torch.device:
    """`auto` takes CUDA where there is one. Raises InvalidRequest for an unknown name or a GPU that is not there."""
    if name not in DEVICES:
        raise InvalidRequest(f"device {name!r} is unknown", value=name, limit=", ".join(DEVICES))
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidRequest(
            "device 'cuda' was asked for, but torch sees no GPU", value=name, limit="auto, cpu"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are faster than float32 ones here."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(device: torch.device, enabled: bool) -> AbstractContextManager[None]:
    """bfloat16 autocast on `device`, or nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def attention_kernels(device: torch.device) -> AbstractContextManager[None]:
    """On a CPU the plain product of matrices, whose backward pass is quicker there than the fused kernel's."""
    on_gpu = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    kernels: AbstractContextManager[None] = sdpa_kernel([SDPBackend.MATH] if device.type == "cpu" else on_gpu)
    return kernels
