"""The devices programs run on, and how XLA is told to use them.

On a CPU every core becomes a device of its own with one thread: small matrix products gain nothing
from several threads, and runs are independent, so cores are better spent on different runs. It is
also what makes a run reproducible to the last bit: its arithmetic never depends on how many
threads happened to share it. A single core becomes two devices, as XLA compiles programs for one
device in another way, and to other bits, than programs for any number of them.
"""

from __future__ import annotations

import os
import pickle
import platform
import warnings
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import numpy as np
from jax.experimental.multihost_utils import broadcast_one_to_all, process_allgather
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from thalweg.data.stored import cache_root

__all__ = [
    "ALONG_RUNS",
    "AXIS",
    "EVERYWHERE",
    "Spread",
    "agreed",
    "apart",
    "brief_options",
    "compiler_options",
    "constrained",
    "cores",
    "describe",
    "devices_of",
    "fetched",
    "mesh",
    "on_each",
    "over_devices",
    "prepare",
    "put",
    "told",
]

# What XLA may leave to the YNN library: products and convolutions, but not sums. Its sums over the
# rows of a batch take tens of times as long as XLA's own: a step of a network with batch
# normalization took 94 ms with them, and 53 ms without.
YNN = ",".join(
    f"LIBRARY_FUSION_TYPE_{kind}" for kind in ("DOT", "INDIVIDUAL_CONVOLUTION", "INDIVIDUAL_DOT")
)

AXIS = "device"
ALONG_RUNS = PartitionSpec(AXIS)
EVERYWHERE = PartitionSpec()

# What the devices share of a program, as ``Training.spread`` has it: its runs where that is None.
Spread: TypeAlias = Literal["batch", "parameters"] | None


@cache
def prepare() -> None:
    """Configure JAX once per process, before its first computation: devices and program cache."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    # A program that another process has not written to its end is compiled anew. `thalweg doctor`
    # finds those that never will be.
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache entry")
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
    return cache_root() / "programs"


@cache
def mesh() -> Mesh:
    """All devices along one axis: of this process, and of those it has joined."""
    prepare()
    return Mesh(np.array(jax.devices()), (AXIS,))


def put(tree: Any, spec: PartitionSpec) -> Any:
    """Place arrays on the devices: split along runs, or the whole on each."""
    sharding = NamedSharding(mesh(), spec)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def one(leaf: Any) -> jax.Array:
        whole = np.asarray(leaf)  # every process has it, and gives its own devices their parts
        whole = whole.astype(jax.dtypes.canonicalize_dtype(whole.dtype), copy=False)
        return jax.make_array_from_callback(whole.shape, sharding, whole.__getitem__)

    return jax.tree.map(one, tree)


def fetched(array: Any) -> np.ndarray:
    """An array as it is on the host; all processes ask for those of which each has a part."""
    if isinstance(array, jax.Array) and not (
        array.is_fully_addressable or array.is_fully_replicated
    ):
        return np.asarray(process_allgather(array, tiled=True))
    return np.asarray(array)


def told(value: Any = None) -> Any:
    """What the first process says, in all that compute together; others ask, and say nothing."""
    if jax.process_count() == 1:
        return value
    content = np.frombuffer(pickle.dumps(value), np.uint8)
    size = int(broadcast_one_to_all(np.int64(len(content))))
    # Few lengths, as for each one something is compiled.
    message = np.zeros(max(1024, 1 << (size - 1).bit_length()), np.uint8)
    if jax.process_index() == 0:
        message[:size] = content
    return pickle.loads(broadcast_one_to_all(message)[:size].tobytes())


def agreed(value: bool) -> bool:
    """Whether the first process says so, in all that compute together."""
    if jax.process_count() == 1:
        return value
    return bool(broadcast_one_to_all(np.int32(value)))


def apart(spread: Spread) -> int:
    """How many devices compute by themselves, with runs of their own."""
    return mesh().size if spread is None else 1


def constrained(array: jax.Array, spec: PartitionSpec) -> jax.Array:
    """Within a program: an array that lies on the devices as is said."""
    return jax.lax.with_sharding_constraint(array, NamedSharding(mesh(), spec))


def on_each(spread: Spread, tree: Any) -> Any:
    """Within a program: arrays, of which each device may have held a part, whole on all."""
    if spread is None:
        return tree
    return jax.tree.map(lambda leaf: constrained(leaf, EVERYWHERE), tree)


def over_devices(spread: Spread, rows: jax.Array) -> jax.Array:
    """Within a program: rows, [row, ...], divided among the devices where these share one run."""
    return rows if spread is None else constrained(rows, PartitionSpec(AXIS))


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
