"""`check_encoder` passes encoders that fulfil the contract and reports what a broken one breaks."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, ImageEncoder
from multimodal_ensemble.encoders import DenseHead, FeatureScaling, InferenceModel
from multimodal_ensemble.testing import check_encoder
from tests.testing.third_party_encoder import ClipEncoder, LogPower
from tests.toys import use_shallow_network

RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (10 + i, 12, 3), dtype="uint8") for i in range(4)]
TAGS = [["war", "space", "war"], ["love"], [], ["space"], ["robot", "love"]]
TABLE = pd.DataFrame({"year": [1990, 1995, 1995, 2001], "minutes": [80.5, 95, 120, 90]})
NOISY_HEAD = DenseHead(4, scaling="standard", dropout=0.3, input_dropout=0.2)
LINEAR_HEAD = DenseHead(3, activation=None)
CLIPS = [list(RNG.normal(size=length)) for length in (8, 5, 11, 7)]


def small_cnn(*more):
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Conv2D(6, 3),
            *more,
        ]
    )


# -- encoders that fulfil the contract -------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (
            {"tfidf": True, "drop": ("robot",), "head": DenseHead(3, scaling="log")}
            | {"optional": True, "column": "genres", "delimiter": "|"},
            ["a|robot|b", "", "b|c", "a"],
        ),
        (
            {"binary": False, "tokenizer": "words", "max_tokens": 4, "head": NOISY_HEAD},
            ["A war in a space", "Love!", "", "a robot"],
        ),
    ],
    ids=["tags", "words"],
)
def test_bag_of_words_encoder_passes(options, values):
    check_encoder(BagOfWordsEncoder("tags", **options), values)


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({"column": ["year", "minutes"], "head": LINEAR_HEAD, "optional": True}, TABLE),
        (
            {"column": "embedding", "scaling": None},
            pd.Series(list(RNG.normal(size=(4, 5))), index=[3, 3, 1, 0]),
        ),
        ({"optional": True}, [1.5, None, 2.5, 0.0, 9.0, np.nan]),
    ],
    ids=["table", "vectors", "missing values"],
)
def test_dense_encoder_passes(options, values):
    check_encoder(DenseEncoder("numbers", **options), values)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"layers": 2, "pooling": ("max", "avg"), "mirror": True, "preprocessing": "unit"},
        {"trainable_layers": 1, "head": DenseHead(3, activation=None, scaling="standard")},
        {"trainable_layers": "all", "head": NOISY_HEAD},
    ],
    ids=str,
)
def test_image_encoder_with_the_user_s_model_passes(options):
    check_encoder(ImageEncoder("poster", backbone=small_cnn(), **options), IMAGES)


@pytest.mark.slow
def test_image_encoder_with_feature_vectors_passes():
    backbone = small_cnn(keras.layers.Flatten())
    check_encoder(ImageEncoder("poster", backbone=backbone, head=DenseHead(3)), IMAGES)


@pytest.mark.slow
def test_image_encoder_with_a_network_of_keras_passes(monkeypatch):
    use_shallow_network(monkeypatch, "MobileNet")
    encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    check_encoder(encoder, IMAGES)


@pytest.mark.parametrize(
    "options",
    [{"frozen": False}, {"length": 4, "column": "sound", "head": DenseHead(2)}],
    ids=str,
)
def test_a_third_party_encoder_passes(options):
    check_encoder(ClipEncoder("clip", **options), CLIPS)


@pytest.mark.slow
def test_a_third_party_encoder_of_several_columns_passes():
    @keras.saving.register_keras_serializable(package="third_party")
    class ColumnsEncoder(ClipEncoder):
        def fit(self, values):
            return super().fit(values.to_numpy())

        def encode(self, values):
            return super().encode(np.asarray(values, dtype="float32"))

    check_encoder(ColumnsEncoder("clip", column=["year", "minutes"], length=2), TABLE)


# -- encoders that break the contract --------------------------------------------------------------


class FitForgetsSelf(ClipEncoder):
    def fit(self, values):
        super().fit(values)


class ShapeOfFloats(ClipEncoder):
    @property
    def input_shape(self):
        return (self.length / 1,)


class EncodesToList(ClipEncoder):
    def encode(self, values):
        return super().encode(values).tolist()


class EncodesWrongShape(ClipEncoder):
    def encode(self, values):
        return super().encode(values)[:, 1:]


class EncodesToStrings(ClipEncoder):
    def encode(self, values):
        return super().encode(values).astype(str)


class EncodesAtRandom(ClipEncoder):
    def encode(self, values):
        rows = super().encode(values)
        return rows + RNG.normal(size=rows.shape).astype("float32")


class PreparesSomethingElse(ClipEncoder):
    def prepare(self, values):
        return super().prepare([list(value) + [1.0] * 20 for value in values])


class EncodesByBatch(ClipEncoder):
    def encode(self, values):
        rows = super().encode(values)
        return rows / rows.max(initial=1e-3)


class OneDigestForAll(ClipEncoder):
    def content_digests(self, values):
        return [b"sound" for _ in values]


class TooFewDigests(ClipEncoder):
    def content_digests(self, values):
        return super().content_digests(values)[1:]


class ArgumentNotStored(ClipEncoder):
    def __init__(self, name, *, rate=1.0, column=None):
        super().__init__(name, column=column)


class ArgumentChanged(ClipEncoder):
    def __init__(self, name, *, rate=1.0, column=None):
        super().__init__(name, column=column)
        self.rate = rate + 1


class ConfigurationIncomplete(ClipEncoder):
    def __init__(self, name, *, gain=1.0, column=None):
        super().__init__(name, column=column)
        self.gain = gain

    def encode(self, values):
        return super().encode(values) * np.float32(self.gain)

    def get_config(self):
        return {"name": self.name, "column": self.column}


class ConfigurationWithoutName(ClipEncoder):
    def get_config(self):
        return {"length": self.length}


class ConfigurationNotJson(ClipEncoder):
    def get_config(self):
        return {**super().get_config(), "length": {1, 2}}


class RequiredArgumentForgotten(ClipEncoder):
    def __init__(self, name, gain):
        super().__init__(name)
        self.gain = gain

    def get_config(self):
        return {"name": self.name}


class StateLost(ClipEncoder):
    def fit(self, values):
        self._peak = super().fit(values).__dict__.pop("peak_")
        return self

    def encode(self, values):
        self.peak_ = self._peak
        try:
            return super().encode(values)
        finally:
            del self.peak_


class StateOfTheWrongKind(ClipEncoder):
    def set_state(self, state):
        self.peak_ = 1.0
        return self


class BackboneNotRepeated(ClipEncoder):
    def get_backbone(self):
        if self._network is None:
            self._network = keras.Sequential([keras.Input(self.input_shape), keras.layers.Dense(3)])
            self._network.trainable = False
        return self._network

    def get_state(self):
        return self.fitted_attributes()


class BackboneNewEachCall(ClipEncoder):
    def get_backbone(self):
        self._network = None
        return super().get_backbone()


class BackboneIsALayer(ClipEncoder):
    def get_backbone(self):
        if self._network is None:
            self._network = keras.layers.Activation("tanh")
        return self._network


class BackboneTakesAnotherShape(ClipEncoder):
    def get_backbone(self):
        if self._network is None:
            self._network = keras.Sequential(
                [keras.Input((None,)), keras.layers.Activation("tanh")]
            )
        return self._network


class FeatureShapeIsWrong(ClipEncoder):
    @property
    def feature_shape(self):
        return (7,)


class BackboneInTrainingMode(ClipEncoder):
    model = keras.Model

    def get_backbone(self):
        if self._network is None:
            inputs = keras.Input(self.input_shape)
            self._network = self.model(inputs, keras.layers.Dropout(0.5)(inputs))
        return self._network


@keras.saving.register_keras_serializable(package="third_party")
class BackboneInInferenceMode(BackboneInTrainingMode):
    model = InferenceModel


@keras.saving.register_keras_serializable(package="third_party")
class MinusBatchMean(keras.layers.Layer):
    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0)


class BackboneMixesRows(ClipEncoder):
    def get_backbone(self):
        if self._network is None:
            self._network = keras.Sequential([keras.Input(self.input_shape), MinusBatchMean()])
        return self._network


class HeadShared(ClipEncoder):
    def build_head(self):
        if not hasattr(self, "_head"):
            self._head = super().build_head()
        return self._head


class HeadsShareWeights(ClipEncoder):
    def build_head(self):
        if not hasattr(self, "_dense"):
            self._dense = super().build_head()
        return keras.Sequential([keras.Input(self.feature_shape), self._dense])


class HeadsDiffer(ClipEncoder):
    calls = 0

    def build_head(self):
        self.calls += 1
        hidden = keras.layers.Dense(self.calls)
        return keras.Sequential([keras.Input(self.feature_shape), hidden, super().build_head()])


class HeadGivesNoVector(ClipEncoder):
    def build_head(self):
        return keras.layers.Reshape((2, 3))


class HeadNotTrained(ClipEncoder):
    def build_head(self):
        return keras.layers.Dense(3, trainable=False)


class HeadOnlyAdapts(ClipEncoder):
    def build_head(self):
        return keras.Sequential([keras.Input(self.feature_shape), FeatureScaling()])


class HeadDiverges(ClipEncoder):
    def build_head(self):
        big = keras.initializers.Constant(1e38)
        return keras.layers.Dense(3, kernel_initializer=big, bias_initializer=big)


class HeadOfALambda(ClipEncoder):
    def build_head(self):
        scale = keras.layers.Lambda(lambda x: x * 2, output_shape=self.feature_shape)
        return keras.Sequential([keras.Input(self.feature_shape), scale, super().build_head()])


class HeadForgetsItsOption(ClipEncoder):
    def build_head(self):
        @keras.saving.register_keras_serializable(package="third_party")
        class Times(keras.layers.Layer):
            def __init__(self, factor=1, **kwargs):
                super().__init__(**kwargs)
                self.factor = factor

            def call(self, inputs):
                return inputs * self.factor

            def get_config(self):
                return {"name": self.name}

        return keras.Sequential([keras.Input(self.feature_shape), Times(3), super().build_head()])


class HeadNotRegistered(ClipEncoder):
    def build_head(self):
        class Twice(keras.layers.Layer):
            def call(self, inputs):
                return inputs * 2

        return keras.Sequential([keras.Input(self.feature_shape), Twice(), super().build_head()])


class NotRegistered(ClipEncoder):
    pass


class ScalesByTheRange(ClipEncoder):
    def fit(self, values):
        self.range_ = float(np.ptp([len(clip) for clip in values]))
        return super().fit(values)

    def encode(self, values):
        with np.errstate(all="ignore"):
            return super().encode(values) / np.float32(self.range_)


class RaisesForEqualValues(ClipEncoder):
    def fit(self, values):
        if len({len(clip) for clip in values}) == 1:
            raise ZeroDivisionError
        return super().fit(values)


class HasUnsavableState(ClipEncoder):
    def fit(self, values):
        self.extra_ = {1, 2}
        return super().fit(values)


class HasParts(ClipEncoder):
    def __init__(self, name, *, parts=None):
        super().__init__(name)
        self.parts = parts

    def without_each_part(self, value):
        return self.parts


class HasWrongVectors(ClipEncoder):
    def additive_parts(self, values, centre):
        return [(["a clip"], self.encode([value]) - centre + 1) for value in values]


@pytest.mark.parametrize(
    ("encoder", "match"),
    [
        (NotRegistered("clip"), r"is registered.*serializable\(package=...\) on NotRegistered"),
        (ScalesByTheRange("clip"), r"finite numbers after fit received values that are all equal"),
        (RaisesForEqualValues("clip"), r"fit accepts values that are all equal.*ZeroDivision"),
        (HasUnsavableState("clip"), r"get_state returns values that a file can hold.*extra_"),
        (HasParts("clip", parts=["a"]), r"without_each_part returns names and values.*no pair"),
        (HasParts("clip", parts=[["a"], []]), r"length 1 and a list of length 0"),
        (HasParts("clip", parts=[[1], [[0.5]]]), r"names, which are strings.*items of type int"),
        (HasParts("clip", parts=[["a"], [None]]), r"encode accepts the value 0 without each of"),
        (HasWrongVectors("clip", frozen=False), r"vectors of additive_parts add up to the encoded"),
        (FitForgetsSelf("clip"), r"fit returns the encoder itself"),
        (ShapeOfFloats("clip"), r"input_shape is a tuple of whole numbers.*received \(8.0,\)"),
        (EncodesToList("clip"), r"encode returns a numpy array.*list"),
        (EncodesWrongShape("clip"), r"encode returns \(n, \*input_shape\). Expected \(4, 8\)"),
        (EncodesToStrings("clip"), r"encode returns numbers"),
        (EncodesAtRandom("clip"), r"encode returns the same rows when it is called again"),
        (PreparesSomethingElse("clip"), r"encode\(prepare\(values\)\[rows\]\) equals"),
        (EncodesByBatch("clip"), r"a row is encoded in the same way alone and in a batch"),
        (OneDigestForAll("clip"), r"different digests.*one digest for the values 0 and 1"),
        (TooFewDigests("clip"), r"one digest per value. It raised .*returned 3 for 4 values"),
        (ArgumentNotStored("clip"), r"get_config returns JSON values.*'rate'"),
        (ArgumentChanged("clip"), r"from_config\(get_config\(\)\) has the same configuration"),
        (ConfigurationIncomplete("clip", gain=3), r"configuration and state encodes in the same"),
        (ConfigurationWithoutName("clip"), r"get_config returns the name"),
        (ConfigurationNotJson("clip"), r"get_config returns JSON values"),
        (RequiredArgumentForgotten("clip", 2), r"from_config accepts what get_config.*'gain'"),
        (StateLost("clip"), r"a copy from configuration and state encodes.*_peak"),
        (StateOfTheWrongKind("clip"), r"configuration and state encodes in the same way"),
        (BackboneNotRepeated("clip"), r"configuration and state has the same backbone"),
        (BackboneNewEachCall("clip"), r"backbone\(\) returns the same model each time"),
        (BackboneIsALayer("clip"), r"backbone\(\) returns a keras.Model"),
        (BackboneTakesAnotherShape("clip"), r"accepts what encode returns.*\(8,\).*\(None,\)"),
        (FeatureShapeIsWrong("clip"), r"the backbone returns \(n, \*feature_shape\). .*\(4, 7\)"),
        (BackboneInTrainingMode("clip"), r"stays in inference mode in training"),
        (BackboneMixesRows("clip"), r"stored features equal computed ones"),
        (HeadShared("clip"), r"head\(\) returns a new layer each time"),
        (HeadsShareWeights("clip"), r"two heads share no weights. Expected 0, received 2"),
        (HeadsDiffer("clip"), r"two heads have the same number of weights"),
        (HeadGivesNoVector("clip"), r"a head returns one embedding per row.*\(None, 2, 3\)"),
        (HeadNotTrained("clip"), r"training changes the head"),
        (HeadOnlyAdapts("clip"), r"training changes the head"),
        (HeadDiverges("clip", frozen=False), r"head can be trained.*not finite"),
        (HeadOfALambda("clip"), r"layers can be saved and loaded.*Lambda"),
        (HeadNotRegistered("clip"), r"layers can be saved and loaded"),
        (HeadForgetsItsOption("clip"), r"saved and loaded model with .*'clip' predicts the same"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ClipEncoder) else "",
)
def test_a_broken_encoder_fails_with_the_part_that_it_breaks(encoder, match):
    with pytest.raises(AssertionError, match=rf"(?s)breaks the contract: .*{match}"):
        check_encoder(encoder, CLIPS)


@pytest.mark.slow
def test_an_inference_model_may_hold_dropout():
    check_encoder(BackboneInInferenceMode("clip"), CLIPS)


def test_missing_values_do_not_count_among_the_four():
    with pytest.raises(AssertionError, match=r"at least four values.*received 3"):
        check_encoder(DenseEncoder("n", optional=True), [1.0, 2.0, 4.0, None])


@pytest.mark.parametrize("n_values", [0, 3])
def test_too_few_values_are_refused(n_values):
    with pytest.raises(AssertionError, match=rf"at least four values.*received {n_values}"):
        check_encoder(ClipEncoder("clip"), CLIPS[:n_values])


def test_the_third_party_backbone_equals_numpy():
    encoder = ClipEncoder("clip").fit(CLIPS)
    rows = encoder.encode(CLIPS)
    expected = np.log1p(np.abs(np.fft.rfft(rows)) ** 2)
    np.testing.assert_allclose(LogPower()(rows), expected, rtol=1e-4, atol=1e-5)


class NewDrawEachTime:
    """Augments in another way at each call."""

    views = 2

    def __init__(self):
        self.calls = 0

    def apply(self, encoded, digests, views):
        self.calls += 1
        return encoded + self.calls

    def view_digests(self, digests, view):
        return [digest + bytes([view]) for digest in digests]


class OneDigestForAllViews:
    """Returns the digest of the plain row for every view."""

    views = 2

    def apply(self, encoded, digests, views):
        return encoded + views[:, np.newaxis]

    def view_digests(self, digests, view):
        return list(digests)


class NewDrawEncoder(DenseEncoder):
    augmentation = NewDrawEachTime()


class OneDigestEncoder(DenseEncoder):
    augmentation = OneDigestForAllViews()


class ForgetfulEncoder(DenseEncoder):
    """Cannot encode in another process."""

    def without_backbone(self):
        return ForgetfulEncoder(self.name)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (NewDrawEncoder, "a view is the same alone and in a batch"),
        (OneDigestEncoder, "the plain value and each view have different digests"),
        (ForgetfulEncoder, "a copy without its backbone encodes"),
    ],
)
def test_broken_views_and_copies_fail(kind, message):
    with pytest.raises(AssertionError, match=message):
        check_encoder(kind("x"), [1.0, 2.0, 3.0, 4.0])


def test_a_sparse_matrix_that_is_not_the_encoded_rows_fails():
    class Doubling(BagOfWordsEncoder):
        def prepare(self, values):
            return super().prepare(values) * 2

        def encode(self, values):
            return super().encode(values) / 2

    with pytest.raises(AssertionError, match="a sparse matrix that prepare returns is the encoded"):
        check_encoder(Doubling("tags"), TAGS)


def test_a_find_missing_that_ignores_none_fails():
    class Careless(BagOfWordsEncoder):
        def find_missing(self, values):
            return np.zeros(len(values), dtype=bool)

    with pytest.raises(AssertionError, match="find_missing distinguishes None from values"):
        check_encoder(Careless("tags", optional=True), TAGS)
