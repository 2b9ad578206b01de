"""At least one of every part of the catalogue, and of every option of every choice; numbers lie
away from zero and from their defaults, so that a number which is ignored shows.
"""

from __future__ import annotations

from typing import Any

from thalweg.catalogue.activations import (
    ELU,
    GELU,
    ISRLU,
    ISRU,
    SELU,
    SQNL,
    ArcTan,
    BentIdentity,
    BinaryStep,
    Gaussian,
    GeneralizedRectifier,
    HardTanh,
    HingeFunction,
    Identity,
    LeakyReLU,
    Max,
    Maxout,
    Mish,
    PReLU,
    ReLU,
    RReLU,
    Sigmoid,
    SiLU,
    Sinc,
    Sinusoid,
    SoftClipping,
    SoftExponential,
    Softmax,
    Softplus,
    Softsign,
    Swish,
    Tanh,
)
from thalweg.catalogue.attention import (
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    HeadsAttention,
)
from thalweg.catalogue.augmentations import (
    AffineWarp,
    Crop,
    Cutout,
    ElasticWarp,
    Flip,
    Mixup,
    Noise,
)
from thalweg.catalogue.cells import GRU, LSTM, RNN, JordanRNN, MinimalGatedUnit
from thalweg.catalogue.clipping import ClipAdaptively, ClipByNorm, ClipByValue
from thalweg.catalogue.compositions import (
    AffineComposition,
    BilinearComposition,
    TensorComposition,
    TreeLSTM,
)
from thalweg.catalogue.decoders import Beam, DiverseBeam, Exhaustive, Greedy, Sampling
from thalweg.catalogue.initializers import (
    ActivationGain,
    Averaging,
    Constant,
    Eye,
    Fan,
    Glorot,
    He,
    InputUniform,
    Normal,
    Orthogonal,
    Sparse,
    TruncatedNormal,
    Uniform,
    Zero,
)
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalPooling,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    LearnedPositions,
    LinearChain,
    MaxPooling,
    MultiHeadAttention,
    NormalSample,
    Parallel,
    PlaneRecurrent,
    Recurrent,
    Repeat,
    Reshape,
    Residual,
    RMSNormalization,
    SinusoidalPositions,
    SpectralNormalization,
    TransformerBlock,
    TransposedConvolution,
    Upsample,
    WeightNormalization,
)
from thalweg.catalogue.line_searches import Backtracking, ExactSearch, WolfeSearch
from thalweg.catalogue.losses import (
    AbsoluteError,
    Adversarial,
    BernoulliLikelihood,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ClippedCrossEntropy,
    Contrastive,
    DeepSupervision,
    Focal,
    GaussianLikelihood,
    Hinge,
    Huber,
    IndicatorError,
    LinearChainLikelihood,
    PoissonLikelihood,
    SigmoidHinge,
    SquaredError,
    SquaredHinge,
    Triplet,
    Wasserstein,
    ZeroOne,
)
from thalweg.catalogue.networks import (
    GAN,
    MLP,
    VGG,
    AuxiliaryHead,
    EncoderDecoder,
    LeNet,
    RecurrentNetwork,
    Recursive,
    ResidualMLP,
    ResNet,
    Sequential,
    Siamese,
    Transformer,
    TransformerEncoderDecoder,
)
from thalweg.catalogue.optimizers import (
    BFGS,
    LAMB,
    LBFGS,
    AdaDelta,
    Adafactor,
    AdaGrad,
    Adam,
    AdaMax,
    AdamW,
    AMSGrad,
    ByLayer,
    ConjugateGradients,
    DeltaBarDelta,
    GaussNewton,
    GradientAccumulation,
    GradientDescent,
    HessianFree,
    LevenbergMarquardt,
    Lion,
    Lookahead,
    Momentum,
    Muon,
    NAdam,
    Nesterov,
    Newton,
    NonlinearConjugateGradients,
    PolyakAveraging,
    RAdam,
    RMSProp,
    Rprop,
    ScheduleFree,
    SharpnessAware,
    SignDescent,
    Sophia,
    SteepestDescent,
)
from thalweg.catalogue.preprocessing import (
    PCA,
    Center,
    MaxAbs,
    MinMax,
    Robust,
    SparseCode,
    Standardize,
    Whiten,
)
from thalweg.catalogue.regularizers import (
    L1,
    L2,
    Contractive,
    DecoupledDecay,
    ElasticNet,
    GroupActivity,
    KLSparsity,
    L1Activity,
    LInfinity,
    LogSumExp,
    MaxNorm,
    MeanActivity,
    NoiseConsistency,
    NormalDivergence,
    ProximalL1,
    PruneBelow,
    PruneShare,
    StudentTActivity,
)
from thalweg.catalogue.schedules import (
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    GrowingMomentum,
    InverseDecay,
    Manual,
    OneCycle,
    Piecewise,
    PolynomialDecay,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
)
from thalweg.catalogue.starts import FromRun, OutputBias, UnitVariance

SEARCHES = [
    Backtracking(longest=2, sufficient=0.4, shrink=0.7),
    *[WolfeSearch(first=0.9, sufficient=0.7, flat=0.9, condition=c) for c in ("weak", "strong")],
    ExactSearch(first=0.3),
]

ROWS: dict[str, list[Any]] = {
    "activations": [
        ArcTan(),
        BentIdentity(),
        BinaryStep(),
        ELU(alpha=0.7),
        *[GELU(form=form) for form in ("erf", "tanh", "tanh_rounded")],
        Gaussian(),
        GeneralizedRectifier(slope=-0.6),
        HardTanh(),
        HingeFunction(slope=1.4),
        ISRLU(alpha=0.7),
        ISRU(alpha=0.7),
        Identity(),
        LeakyReLU(slope=0.3),
        *[Max(ties=ties) for ties in ("first", "equal")],
        *[Maxout(pieces=3, ties=ties) for ties in ("first", "equal")],
        Mish(),
        *[PReLU(slope=0.3, shared=shared) for shared in ("unit", "layer")],
        RReLU(low=0.1, high=0.7),
        *[ReLU(derivative_at_zero=value) for value in (0, 1)],
        SELU(),
        SQNL(),
        SiLU(),
        Sigmoid(),
        Sinc(),
        Sinusoid(frequency=1.7),
        SoftClipping(alpha=4),
        *[SoftExponential(alpha=alpha) for alpha in (-0.25, 0.4)],
        Softmax(),
        Softplus(beta=1.7),
        Softsign(),
        Swish(beta=1.7),
        Tanh(),
    ],
    "initializers": [
        ActivationGain(activation=LeakyReLU(slope=0.3), start=Fan(gain=0.5)),
        Averaging(gain=0.5, spread=0.3),
        Constant(value=0.3),
        Eye(gain=0.5),
        *[
            kind(gain=0.5, distribution=d)
            for kind in (Fan, Glorot, He)
            for d in ("normal", "uniform", "truncated_normal")
        ],
        *[InputUniform(gain=0.5, bound=bound) for bound in ("root", "inverse")],
        Normal(deviation=0.2),
        Orthogonal(gain=2),
        Sparse(nonzeros=2, values=Normal(deviation=0.2)),
        *[TruncatedNormal(deviation=0.2, limit=1.5, rescaled=r) for r in (False, True)],
        Uniform(bound=0.2),
        Zero(),
    ],
    "starts": [FromRun(run="0123456789abcdef"), OutputBias(), UnitVariance(deviation=0.5)],
    "losses": [
        AbsoluteError(),
        *[Adversarial(form=form) for form in ("non_saturating", "minimax")],
        *[BernoulliLikelihood(reduction=reduction) for reduction in ("mean", "sum")],
        BinaryCrossEntropy(smoothing=0.1),
        CategoricalCrossEntropy(smoothing=0.1),
        ClippedCrossEntropy(least=0.2),
        Contrastive(margin=0.7),
        DeepSupervision(
            final=CategoricalCrossEntropy(smoothing=0.1), hidden=Focal(focus=1.5), weight=0.4
        ),
        Focal(focus=1.5),
        GaussianLikelihood(least=0.1),
        *[Hinge(several=s) for s in ("sum", "largest")],
        Hinge(derivative_at_kink=1),
        Huber(threshold=0.7),
        *[IndicatorError(squash=squash) for squash in (False, True)],
        LinearChainLikelihood(),
        PoissonLikelihood(),
        *[SigmoidHinge(labels=labels) for labels in ("zero_one", "plus_minus")],
        SquaredError(),
        SquaredError(factor=0.5),
        SquaredHinge(),
        *[Triplet(margin=0.7, squared=squared) for squared in (False, True)],
        Wasserstein(penalty=0.7),
        ZeroOne(),
    ],
    "schedules": [
        *[ExponentialDecay(initial=0.3, rate=0.2, per=per) for per in ("epoch", "step")],
        *[InverseDecay(initial=0.3, rate=0.2, per=per) for per in ("epoch", "step")],
        *[StepDecay(initial=0.3, factor=0.5, every=2, per=per) for per in ("epoch", "step")],
        ReduceOnPlateau(initial=0.3, factor=0.5, patience=2),
        CosineDecay(initial=0.3, final=0.1),
        *[CosineRestarts(initial=0.3, final=0.1, length=3, per=per) for per in ("epoch", "step")],
        CosineRestarts(initial=0.3, final=0.1, length=3, growth=2, per="step"),
        GrowingMomentum(limit=0.9, delay=4),
        Manual(initial=0.3),
        *[OneCycle(peak=0.3, start=0.2, end=0.1, shape=shape) for shape in ("cosine", "linear")],
        *[Piecewise(initial=0.3, at=(2, 5), factors=(2, 0.1), per=p) for p in ("epoch", "step")],
        PolynomialDecay(initial=0.3, final=0.1, power=2),
        *[Warmup(after=0.3, length=3, per=per) for per in ("epoch", "step")],
        Warmup(after=CosineDecay(initial=0.3, final=0.1), length=3),
    ],
    "regularizers": [
        *[L1(strength=0.1, biases=biases) for biases in (False, True)],
        *[L2(strength=0.1, factor=f, biases=b) for f, b in ((0.5, False), (1.0, True))],
        *[
            DecoupledDecay(strength=0.1, times_learning_rate=times, biases=biases)
            for times, biases in ((True, False), (False, True))
        ],
        *[ProximalL1(strength=0.1, biases=biases) for biases in (False, True)],
        *[
            ElasticNet(strength=0.1, ratio=0.4, absolute=absolute, biases=biases)
            for absolute, biases in (("subgradient", False), ("proximal", True))
        ],
        *[
            LInfinity(strength=0.1, over=o, biases=b)
            for o, b in (("network", False), ("layer", True))
        ],
        *[
            LogSumExp(strength=0.1, of=of, biases=b)
            for of, b in (("weights", False), ("sizes", True))
        ],
        MaxNorm(limit=0.9),
        PruneBelow(threshold=0.4, after=1),
        *[PruneShare(share=0.5, after=1, over=over) for over in ("layer", "network")],
        GroupActivity(strength=0.1, size=2),
        KLSparsity(strength=0.1, target=0.2),
        L1Activity(strength=0.1),
        MeanActivity(strength=0.1, target=0.2),
        NormalDivergence(strength=0.1),
        StudentTActivity(strength=0.1),
        *[Contractive(strength=0.1, derivatives=d) for d in ("exact", "random")],
        NoiseConsistency(strength=0.1, deviation=0.2),
    ],
    "augmentations": [
        AffineWarp(rotation=20, shift=0.2, zoom=0.2, shear=0.2),
        Crop(padding=1),
        Cutout(size=4, fill=0.5),
        ElasticWarp(amount=5, smoothness=2),
        Flip(horizontal=0.6, vertical=0.3),
        *[Mixup(alpha=0.4, per=per) for per in ("batch", "example")],
        Noise(deviation=0.3),
    ],
    "clipping": [
        ClipAdaptively(limit=0.2, floor=0.5),
        ClipByNorm(limit=0.5),
        ClipByValue(limit=0.5),
    ],
    "preprocessing": [
        Center(),
        MaxAbs(),
        MinMax(low=-1, high=1),
        PCA(components=2),
        Robust(),
        *[SparseCode(atoms=3, dictionary=d) for d in ("learned", "rows")],
        Standardize(),
        *[Whiten(floor=0.1, form=form) for form in ("pca", "zca")],
    ],
    "layers": [
        Activate(function=LeakyReLU(slope=0.3)),
        Activate(function=Maxout(pieces=3)),
        Activate(function=RReLU(low=0.1, high=0.7)),
        AveragePooling(size=(1, 2)),
        BatchNormalization(momentum=0.6, epsilon=0.1),
        BatchNormalization(epsilon=0.1, statistics="population", variance="biased", scale=None),
        Convolution(filters=2, size=(1, 2), padding="same"),
        Dense(units=3, kernel=Normal(deviation=0.5)),
        Dense(units=3, bias=None),
        Dropout(rate=0.4),
        Embedding(symbols=5, features=2),
        Flatten(),
        *[GlobalPooling(over=over) for over in ("mean", "max")],
        GroupNormalization(groups=1, epsilon=0.1),
        InstanceNormalization(epsilon=0.1),
        *[LayerNormalization(epsilon=0.1, over=over) for over in ("example", "channels")],
        MaxPooling(size=(1, 2), padding="same"),
        *[
            Parallel(branches=(Dense(units=3), Activate(function=ELU(alpha=0.5))), join=join)
            for join in ("concatenate", "add")
        ],
        Recurrent(
            cell=RNN(activation=Swish(beta=1.7)),
            units=2,
            direction="both",
            dropout=0.4,
            recurrent_dropout=0.3,
        ),
        Recurrent(
            cell=GRU(activation=Swish(beta=1.7)), units=2, direction="backward", returns="mean"
        ),
        Recurrent(
            units=2, returns="last", truncation=2, normalization=LayerNormalization(epsilon=0.1)
        ),
        Recurrent(cell=MinimalGatedUnit(), units=2, returns="max", start=Normal(deviation=0.2)),
        *[PlaneRecurrent(units=2, order=o) for o in ("side_by_side", "in_turn")],
        LearnedPositions(),
        LinearChain(transitions=Normal(deviation=0.3), outputs=9),
        *[MultiHeadAttention(heads=2, causal=causal, dropout=0.4) for causal in (False, True)],
        SinusoidalPositions(period=100),
        *[
            TransformerBlock(
                width=4, heads=2, activation=Swish(beta=1.7), normalization=n, dropout=0.4
            )
            for n in ("pre", "post")
        ],
        Repeat(steps=2),
        Reshape(shape=(1, 3)),
        Residual(layers=(Dense(units=2), Dropout(rate=0.4))),
        RMSNormalization(epsilon=0.1),
        SpectralNormalization(layer=Dense(units=2)),
        NormalSample(),
        TransposedConvolution(filters=2, size=(2, 3)),
        TransposedConvolution(filters=2, size=(1, 2), stride=1, padding="valid"),
        Upsample(factor=3),
        WeightNormalization(layer=Dense(units=2)),
    ],
    "networks": [
        MLP(hidden=(5, 4), activation=Tanh(), outputs=2),
        MLP(hidden=(5,), activation=ELU(alpha=0.5), dropout=0.3, outputs=1),
        MLP(hidden=(5,), activation=Maxout(), outputs=2),
        MLP(hidden=(5,), activation=RReLU(low=0.1, high=0.7), outputs=2),
        MLP(hidden=(), outputs=3),
        AuxiliaryHead(
            network=MLP(hidden=(5,), activation=ELU(alpha=0.5), kernel=Zero()),
            kernel=Zero(),
            outputs=2,
        ),
        MLP(hidden=(5,), normalization=BatchNormalization(epsilon=0.1), outputs=3),
        *[
            EncoderDecoder(
                units=3,
                decoder_units=units,
                context=context,
                direction=direction,
                features=2,
                symbols=5,
                source_time=2,
                outputs=5,
                cell=cell,
                decoder_cell=decoder_cell,
                sampling=sampling,
            )
            for context, direction, units, cell, decoder_cell, sampling in (
                ("start", "forward", None, LSTM(), None, None),
                ("steps", "both", 2, RNN(), GRU(), None),
                ("both", "both", 2, LSTM(), None, 0.9),
                ("attention", "forward", 2, GRU(activation=Swish(beta=1.7)), None, None),
            )
        ],
        GAN(
            generator=MLP(hidden=(3,), activation=ELU(alpha=0.5)),
            discriminator=MLP(hidden=(3,), activation=Tanh(), dropout=0.3),
            code=2,
            outputs=5,
        ),
        LeNet(filters=(2, 3), hidden=(5,), outputs=2),
        LeNet(filters=(2, 3), hidden=(5,), outputs=2, pooling="max"),
        ResidualMLP(width=4, blocks=2, normalization=LayerNormalization(epsilon=0.1), outputs=2),
        RecurrentNetwork(hidden=(3, 2), symbols=5, features=2, dropout=0.4, outputs=2),
        RecurrentNetwork(hidden=(3, 3), direction="both", returns="mean", outputs=2),
        RecurrentNetwork(hidden=(3,), direction="backward", returns="max", outputs=2),
        RecurrentNetwork(hidden=(3, 3), residual=True, returns="sequence", outputs=2),
        *[
            Recursive(
                composition=TreeLSTM(activation=Swish(beta=1.7)),
                units=2,
                tree=tree,
                symbols=5,
                features=2,
                dropout=dropout,
                outputs=2,
            )
            for tree, dropout in (("given", 0.4), ("balanced", 0.4), ("learned", None))
        ],
        ResNet(filters=(2, 3), blocks=1, normalization=GroupNormalization(groups=1), outputs=2),
        Sequential(layers=(Dense(units=4), Activate(function=Tanh()), Dense(units=2))),
        *[
            TransformerEncoderDecoder(
                width=4,
                heads=2,
                blocks=1,
                hidden=3,
                normalization=normalization,
                dropout=dropout,
                symbols=5,
                source_time=2,
                outputs=5,
            )
            for normalization, dropout in (("pre", None), ("post", 0.4))
        ],
        *[
            Siamese(join=join, items=items, outputs=items - 1)
            for join, items in (("difference", 2), ("absolute", 3), ("distance", 2))
        ],
        Siamese(branch=MLP(hidden=(3,), dropout=0.3, outputs=2), join="distance", head=None),
        Transformer(width=4, heads=2, symbols=5, positions=None, returns="max", outputs=2),
        Transformer(width=4, heads=2, blocks=1, hidden=3, dropout=0.4, outputs=2),
        Transformer(
            width=4,
            heads=2,
            blocks=1,
            causal=True,
            normalization="post",
            positions=SinusoidalPositions(period=100),
            returns="sequence",
            outputs=2,
        ),
        VGG(filters=(2,), convolutions=1, hidden=(3,), outputs=2),
    ],
    "attention": [
        AdditiveAttention(units=3),
        *[DotAttention(scale=scale) for scale in ("none", "root")],
        GeneralAttention(),
        HeadsAttention(heads=2),
    ],
    "compositions": [
        *[
            kind(activation=Swish(beta=1.7), leaf_is=leaf)
            for kind in (AffineComposition, BilinearComposition, TensorComposition)
            for leaf in ("dense", "vector")
        ],
        TreeLSTM(activation=Swish(beta=1.7)),
    ],
    "cells": [
        *[GRU(activation=Swish(beta=1.7), reset=reset) for reset in ("after", "before")],
        LSTM(activation=Swish(beta=1.7), peepholes=Normal(deviation=0.2)),
        *[RNN(activation=Swish(beta=1.7), applied=applied) for applied in ("after", "before")],
        *[JordanRNN(activation=Swish(beta=1.7), fed=fed) for fed in ("outputs", "targets")],
        JordanRNN(activation=Swish(beta=1.7), fed="targets", sampling=0.4),
        MinimalGatedUnit(activation=Swish(beta=1.7)),
    ],
    "optimizers": [
        AdaGrad(learning_rate=0.1, epsilon=1e-3, initial=0.2),
        AdaGrad(learning_rate=0.1, epsilon=1e-3, initial=0.2, momentum=0.6, epsilon_in="root"),
        *[
            Adam(learning_rate=0.1, beta1=0.8, beta2=0.9, epsilon=1e-3, bias_correction=c)
            for c in ("both", "first", "none")
        ],
        Adam(learning_rate=0.1, epsilon=1e-3, epsilon_in="root"),
        AdamW(learning_rate=0.1, epsilon=1e-3, weight_decay=0.3),
        GradientDescent(learning_rate=0.1),
        *[Momentum(learning_rate=0.1, learning_rate_in=e) for e in ("velocity", "step")],
        *[Nesterov(learning_rate=0.1, momentum=0.7, form=f) for f in ("lookahead", "stored_point")],
        *[RMSProp(learning_rate=0.1, epsilon=1e-3, centred=c) for c in (False, True)],
        RMSProp(learning_rate=0.1, epsilon=1e-3, momentum=0.6, epsilon_in="root"),
        BFGS(search=ExactSearch()),
        ConjugateGradients(),
        GaussNewton(learning_rate=0.5, damping=0.3),
        HessianFree(damping=0.5, factor=2, tolerance=0.2),
        HessianFree(damping=0.5, factor=2, tolerance=0.2, curvature="hessian", iterations=9),
        *[LBFGS(learning_rate=0.1, memory=2, search=s) for s in (ExactSearch(trials=4), None)],
        *[LevenbergMarquardt(damping=0.5, scaling=s) for s in ("identity", "diagonal")],
        Newton(learning_rate=0.5, damping=0.3),
        *[
            NonlinearConjugateGradients(beta=beta, search=ExactSearch())
            for beta in ("fletcher_reeves", "polak_ribiere", "hestenes_stiefel")
        ],
        AdaDelta(epsilon=1e-2),
        *[
            AMSGrad(learning_rate=0.1, epsilon=1e-3, correction=c)
            for c in ("after", "before", "none")
        ],
        *[NAdam(learning_rate=0.1, epsilon=1e-3, momentum_decay=d) for d in (None, 2.0)],
        RAdam(learning_rate=0.1, beta2=0.9, epsilon=1e-3),
        AdaMax(learning_rate=0.1, epsilon=1e-2),
        DeltaBarDelta(learning_rate=0.1, increase=0.02),
        Lion(learning_rate=0.23, weight_decay=0.1),
        *[
            Rprop(learning_rate=0.1, shortest=0.06, longest=0.13, after_flip=after)
            for after in ("wait", "move")
        ],
        SignDescent(learning_rate=0.13),
        Sophia(learning_rate=0.1, gamma=3, epsilon=1, weight_decay=0.1, every=2),
        LAMB(learning_rate=0.1, weight_decay=0.1, epsilon=1e-3),
        Adafactor(learning_rate=0.2, smallest=2.0, limit=0.5),
        Muon(learning_rate=0.1, weight_decay=0.1),
        *[SteepestDescent(search=search) for search in SEARCHES],
        GradientAccumulation(inner=GradientDescent(learning_rate=0.1), every=2),
        SharpnessAware(inner=Momentum(learning_rate=0.01), radius=0.1),
        Lookahead(inner=GradientDescent(learning_rate=0.03), every=2),
        *[PolyakAveraging(inner=Momentum(learning_rate=0.01), decay=d) for d in (None, 0.9)],
        ScheduleFree(inner=GradientDescent(learning_rate=0.03)),
        ByLayer(
            layers=("bias",),
            inner=GradientDescent(learning_rate=0.1),
            every=2,
            others=Momentum(learning_rate=0.1),
        ),
    ],
    "line_searches": SEARCHES,
    "decoders": [
        Beam(width=3, length_penalty=2.0, normalization="shifted_power", stop="longest"),
        *[Beam(width=3, length_penalty=2.0, stop=stop) for stop in ("certain", "full")],
        Beam(width=3, length_penalty=2.0, selection="sort"),
        *[
            DiverseBeam(diversity=2.0, length_penalty=2.0, normalization=form, stop=stop)
            for form, stop in [
                ("power", "certain"),
                ("shifted_power", "full"),
                ("power", "longest"),
            ]
        ],
        Exhaustive(best=3),
        Greedy(noted=2),
        Sampling(temperature=1.5, nucleus=0.9, top_k=4, samples=40),
    ],
}
