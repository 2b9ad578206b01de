"""Data made of other data: inputs that are to be reconstructed."""

from __future__ import annotations

from thalweg.data.dataset import Dataset, Shares, Source
from thalweg.data.sources.bundled import Digits
from thalweg.data.split import check_shares
from thalweg.errors import DataError, SpecError
from thalweg.part import choice, declaration, part

__all__ = ["Reconstruction"]


@part
class Reconstruction:
    """Inputs of other data as their own targets, for autoencoders.

    Choices: of: the data whose labels are left out; split: shares of the rows for training,
        validation and test
    Shapes: inputs [1797, 64], targets [1797, 64]: regression; of other data theirs, images flat
        where they are targets
    Watch for: rows are divided as those of the other data are with the same shares and seed, so
        test rows are the same. Targets are not scaled with the inputs: give preprocessing and
        target_preprocessing both.
    Source: Rumelhart, Hinton & Williams, Learning Internal Representations by Error Propagation,
        1986. Licence: that of the other data.
    Example:
        >>> Reconstruction(of=Digits()).load().targets.shape
        (1797, 64)
    """

    of: Source = choice(default=Digits())
    split: Shares = choice(default=(0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        inner = type(self.of)
        if self.of.split != declaration(inner, "split").default:
            raise SpecError(
                f"Reconstruction.split divides the rows; leave {inner.__name__}.split out"
            )

    def load(self) -> Dataset:
        data = self.of.load()
        targets = data.inputs.reshape(data.rows, -1)
        if (targets != targets).any():
            name = type(self.of).__name__
            raise DataError(f"Reconstruction needs inputs without missing values, as {name} has")
        return Dataset(
            data.inputs,
            targets,
            "regression",
            data.feature_names,
            fixed_test=data.fixed_test,
            notes=data.notes,
            divided_like=data.divided_like or data,
        )
