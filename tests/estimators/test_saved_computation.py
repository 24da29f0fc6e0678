"""A file is refused if the code of an encoder now computes something else."""

import json

import keras
import numpy as np
import pytest

from multimodal_ensemble import MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead, InferenceModel
from multimodal_ensemble.estimators import load_estimator
from multimodal_ensemble.exceptions import ArtefactError
from tests.estimators.test_artefact import drop, put, read_members, rewrite, write_members
from tests.toys import ArrayEncoder, make_network, make_poster

ADVICE = (
    r"Its class has changed: load the file with the version of {} that saved it, or train and save "
    r"the estimator again\."
)


@keras.saving.register_keras_serializable(package="tests.saved")
class ScaledRelu(keras.layers.Layer):
    """A layer whose code is in no configuration."""

    slope = 0.0

    def call(self, inputs):
        return keras.ops.maximum(inputs, self.slope * inputs)


@keras.saving.register_keras_serializable(package="tests.saved")
class PairEncoder(ArrayEncoder):
    """Two numbers, with nothing in front of the trained layers."""

    def __init__(self, name, *, column=None, head=None, scale=1.0):
        super().__init__(name, column=column, head=head)
        self.scale = scale

    def encoding_config(self):
        return {"scale": self.scale}


@keras.saving.register_keras_serializable(package="tests.saved")
class NetworkEncoder(PairEncoder):
    """Two numbers through a network; tests change the attributes of the class."""

    activation = "relu"
    width = 24
    _network = None

    def layers(self):
        return [keras.layers.Dense(self.width), keras.layers.Activation(self.activation)]

    def get_backbone(self):
        if self._network is None:
            inputs = keras.Input(self.input_shape, dtype=self.input_dtype)
            self._network = InferenceModel(inputs, keras.Sequential(self.layers())(inputs))
            self._network.trainable = False
        return self._network


@keras.saving.register_keras_serializable(package="tests.saved")
class LayerEncoder(NetworkEncoder):
    def layers(self):
        return [keras.layers.Dense(24), ScaledRelu()]


@keras.saving.register_keras_serializable(package="tests.saved")
class TokenEncoder(NetworkEncoder):
    """Whole numbers, any number of them."""

    input_shape = (None,)
    input_dtype = "int32"
    pool = keras.layers.GlobalMaxPooling1D

    def encode(self, values):
        return np.array([list(value) for value in values], dtype="int32")

    def layers(self):
        return [keras.layers.Embedding(5, 24), self.pool()]


@keras.saving.register_keras_serializable(package="tests.saved")
class SignEncoder(NetworkEncoder):
    """Features that rounding may change wholly."""

    activation = "sign"

    def layers(self):
        return [keras.layers.Dense(200), keras.layers.Activation(keras.ops.sign)]


@keras.saving.register_keras_serializable(package="tests.saved")
class RefusingEncoder(NetworkEncoder):
    """A network that takes batches of more rows than are tried."""

    def layers(self):
        return [keras.layers.Dense(24), Refusing()]


@keras.saving.register_keras_serializable(package="tests.saved")
class Refusing(keras.layers.Layer):
    def call(self, inputs):
        if inputs.shape[0] == 2:
            msg = "Too few rows."
            raise ValueError(msg)
        return inputs


PAIRS = [[row % 5, row % 3] for row in range(24)]
CLASSES = {
    "pair": PairEncoder,
    "network": NetworkEncoder,
    "layer": LayerEncoder,
    "tokens": TokenEncoder,
    "signs": SignEncoder,
    "refusing": RefusingEncoder,
}


def fit(encoders, values):
    y = np.stack([np.arange(24) % 2, np.arange(24) % 3 == 0], axis=1).astype(int)
    options = {"epochs": 1, "optimizer": "sgd", "random_state": 1, "verbose": 0, "threshold": None}
    data = {encoder.name: values for encoder in encoders}
    return MultimodalClassifier(encoders, **options).fit(data, y)


@pytest.fixture(scope="module")
def classifier():
    return fit([kind(name, head=DenseHead(2)) for name, kind in CLASSES.items()], PAIRS)


@pytest.fixture(scope="module")
def saved(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.mme"
    classifier.save(path)
    return path


def build_identity(self):
    inputs = keras.Input(self.input_shape)
    return keras.Model(inputs, keras.layers.Identity()(inputs))


def position(name):
    return [*CLASSES].index(name)


CHANGES = {
    "an activation": (
        NetworkEncoder, "activation", "tanh",
        "'network' .*: its network returns other features for the same input and weights",
    ),
    "a similar activation": (NetworkEncoder, "activation", "gelu", "'network' .*other features"),
    "a limit of large values": (
        NetworkEncoder, "activation", "relu6", "'network' .*its network returns other",
    ),
    "the code of a layer": (ScaledRelu, "slope", 0.1, "'layer' .*its network returns other"),
    "pooling of tokens": (
        TokenEncoder, "pool", keras.layers.GlobalAveragePooling1D, "'tokens' .*its network returns",
    ),
    "the shape of rows": (
        PairEncoder, "input_shape", (1, 2),
        r"'pair' .*: its input_shape is \[1, 2\], and was \[2\]",
    ),
    "the way of encoding": (
        PairEncoder, "encoding_config", lambda self: {"scale": self.scale, "version": 2},
        r"""'pair' .*: its encoding_config is \{"scale": 1.0, "version": 2\}, and was """
        r"""\{"scale": 1.0\}""",
    ),
    "a network where there was none": (
        PairEncoder, "get_backbone", build_identity, "'pair' .*: it has a backbone now",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_class_is_refused(name, saved, monkeypatch):
    changed, attribute, value, match = CHANGES[name]
    monkeypatch.setattr(changed, attribute, value)
    kind = LayerEncoder if changed is ScaledRelu else changed
    with pytest.raises(ArtefactError, match=match) as raised:
        load_estimator(saved)
    assert raised.match("differs from the one that was saved, so that scores would also differ: ")
    assert raised.match(ADVICE.format(kind.__name__))


CANNOT_BE_RESTORED = {
    "another width": (NetworkEncoder, "width", 4, "ValueError: .*shape"),
    "no network": (
        NetworkEncoder, "get_backbone", lambda self: None, "ValueError: The state has backbone_we",
    ),
    "another argument": (
        PairEncoder, "__init__", lambda self, name, *, column, head, scale, power: None,
        "TypeError: .*'power'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CANNOT_BE_RESTORED)
def test_a_class_that_does_not_take_its_state_is_named(name, saved, monkeypatch):
    changed, attribute, value, match = CANNOT_BE_RESTORED[name]
    monkeypatch.setattr(changed, attribute, value)
    key = "pair" if changed is PairEncoder else "network"
    match = rf"The encoder '{key}' cannot be restored from the file \({match}.*class has changed: "
    with pytest.raises(ArtefactError, match=match) as raised:
        load_estimator(saved)
    assert raised.match(f"version of {changed.__name__} that saved it")


def test_arguments_that_the_class_no_longer_has_are_named(saved, tmp_path, monkeypatch):
    change = put("encoders", position("pair"), "config", "gain", 2)
    path = rewrite(saved, tmp_path / "file", change)
    match = "'pair' differs from .*: its constructor has no argument gain. Its class has changed"
    with pytest.raises(ArtefactError, match=match):
        load_estimator(path)

    def read_older(cls, config):
        return cls(**{key: config[key] for key in ("name", "column")}, head=DenseHead(2))

    # A class may read its older configurations itself.
    monkeypatch.setattr(PairEncoder, "from_config", classmethod(read_older))
    assert load_estimator(path).encoders_[0].scale == 1.0


def test_files_that_do_not_say_what_encoders_compute_are_loaded(saved, tmp_path, monkeypatch):
    def forget(document):
        for number in range(len(CLASSES)):
            drop("encoders", number, "computation")(document)

    path = rewrite(saved, tmp_path / "file", forget)
    monkeypatch.setattr(NetworkEncoder, "activation", "tanh")
    load_estimator(path)


def change_output(source, target, name, change):
    """Copy a saved file with other outputs of a network."""
    members = read_members(source)
    document = json.loads(members["manifest.json"])
    packed = document["encoders"][position(name)]["computation"]["dict"]["network_output"]
    member = f"arrays/{packed['array']}.npy"
    output = np.frombuffer(members[member][-2 * 4 * packed_width(name) :], "<f4").copy()
    head = members[member][: -output.nbytes]
    members[member] = head + change(output).astype("<f4").tobytes()
    write_members(target, members)
    return target


def packed_width(name):
    return 200 if name == "signs" else 24


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("network", lambda output: output * (1 + 0.003 * np.sin(np.arange(output.size)))),
        ("signs", lambda output: np.where(np.arange(output.size) % 100 == 7, -output, output)),
    ],
)
def test_rounding_on_other_hardware_is_no_change(name, change, saved, tmp_path):
    path = change_output(saved, tmp_path / "file", name, change)
    assert path.read_bytes() != saved.read_bytes()
    load_estimator(path)


def test_a_network_that_takes_no_such_rows_is_not_compared(saved):
    entry = json.loads(read_members(saved)["manifest.json"])["encoders"][position("refusing")]
    assert entry["computation"]["dict"]["network_output"] is None
    load_estimator(saved)


@pytest.mark.parametrize("is_own", [True, False])
def test_a_network_of_keras_s_layers_is_not_run(is_own, tmp_path, monkeypatch):
    network = make_network()
    if is_own:
        network.add(ScaledRelu())
    images = [np.full((8, 8, 3), 10 * row, "uint8") for row in range(24)]
    fit([make_poster(network=network, head=DenseHead(2))], images).save(tmp_path / "file")
    (entry,) = json.loads(read_members(tmp_path / "file")["manifest.json"])["encoders"]
    assert (entry["computation"]["dict"]["network_output"] is not None) == is_own
    monkeypatch.setattr(ScaledRelu, "call", lambda self, inputs: -inputs)
    if is_own:
        with pytest.raises(ArtefactError, match=r"'poster' differs .*its network returns other"):
            load_estimator(tmp_path / "file")
    else:
        load_estimator(tmp_path / "file")


@pytest.mark.parametrize(
    ("encoding", "match"),
    [
        (lambda self: {"scale": {1}}, r"'pair' cannot be saved: its encoding_config must return"),
        (
            lambda self: {"fitted on": id(self)},
            "'pair' cannot be saved, because it could not be restored: in a copy with the same "
            "configuration and state, its encoding_config is ",
        ),
    ],
)
def test_a_way_of_encoding_that_no_file_restores_is_not_saved(
    encoding, match, classifier, tmp_path, monkeypatch
):
    monkeypatch.setattr(PairEncoder, "encoding_config", encoding)
    with pytest.raises(TypeError, match=match):
        classifier.save(tmp_path / "file")
    assert not list(tmp_path.iterdir())
