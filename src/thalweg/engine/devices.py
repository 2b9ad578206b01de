"""The devices programs run on, and how XLA is told to use them.

On a CPU every core becomes a device of its own with one thread: small matrix products gain nothing
from several threads, and runs are independent, so cores are better spent on different runs. It is
also what makes a run reproducible to the last bit: its arithmetic never depends on how many
threads happened to share it. A single core becomes two devices, as XLA compiles programs for one
device in another way, and to other bits, than programs for any number of them.
"""

from __future__ import annotations

import os
import platform
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = [
    "ALONG_RUNS",
    "EVERYWHERE",
    "brief_options",
    "compiler_options",
    "cores",
    "describe",
    "devices_of",
    "mesh",
    "prepare",
    "put",
]

# What XLA may leave to the YNN library: products and convolutions, but not sums. Its sums over the
# rows of a batch take tens of times as long as XLA's own: a step of a network with batch
# normalization took 94 ms with them, and 53 ms without.
YNN = ",".join(
    f"LIBRARY_FUSION_TYPE_{kind}" for kind in ("DOT", "INDIVIDUAL_CONVOLUTION", "INDIVIDUAL_DOT")
)

ALONG_RUNS = PartitionSpec("run")
EVERYWHERE = PartitionSpec()


@cache
def prepare() -> None:
    """Configure JAX once per process, before its first computation: devices and program cache."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    if "xla_force_host_platform_device_count" in flags:
        return
    try:
        jax.config.update("jax_num_cpu_devices", devices_of(cores()))
    except RuntimeError:
        warnings.warn(
            "JAX was in use before Thalweg: programs run on the devices it has, "
            f"{len(jax.devices())}, instead of one per core; import thalweg first to have all",
            stacklevel=3,
        )


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices_of(cores: int) -> int:
    """Devices that so many processor cores are."""
    return max(cores, 2)


def cache_folder() -> Path:
    """Where compiled programs are kept between processes."""
    root = os.environ.get("THALWEG_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "thalweg" / "programs"


@cache
def mesh() -> Mesh:
    """All local devices along one axis, ``run``."""
    prepare()
    return Mesh(np.array(jax.local_devices()), ("run",))


def put(tree: Any, spec: PartitionSpec) -> Any:
    """Place arrays on the devices: split along runs, or the whole on each."""
    return jax.device_put(tree, NamedSharding(mesh(), spec))


def on_cpu() -> bool:
    """Whether programs run on processor cores."""
    return mesh().devices.flat[0].platform == "cpu"


def compiler_options() -> dict[str, Any]:
    """Options that programs are compiled with, whatever the flags; part of their identity."""
    if not on_cpu():
        return {}
    return {
        "xla_cpu_experimental_ynn_fusion_type": YNN,
        "xla_cpu_use_fusion_emitters": True,
        # Barriers between layers are kept; this pass of XLA's would take them away on processors.
        "xla_disable_hlo_passes": "cse_barrier_expander",
    }


def brief_options() -> dict[str, Any]:
    """Options for programs that run so rarely that compiling them should be quick instead."""
    if not on_cpu():
        return compiler_options()
    return {
        **compiler_options(),
        "xla_backend_optimization_level": 1,
        "xla_cpu_use_fusion_emitters": False,
    }


@cache
def describe() -> dict[str, Any]:
    """The machine and versions that numbers may depend on, as JSON data."""
    from importlib.metadata import version

    device = mesh().devices.flat[0]
    return {
        "device": device.device_kind,
        "platform": device.platform,
        "devices": mesh().size,
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "flags": os.environ.get("XLA_FLAGS", ""),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
