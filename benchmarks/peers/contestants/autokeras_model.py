from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    import autokeras as ak
    import keras
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    size = (task.image_size, task.image_size)
    backbone = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(*size, 3), pooling="avg"
    )
    backbone.load_weights(task.weights)
    vectorizer = CountVectorizer(analyzer=lambda tags: [tag.lower() for tag in tags], binary=True)
    vectorizer.fit(task.train["tags"])

    # Its image blocks have no way to own weights, so it gets features.
    def inputs(rows: Any) -> Any:
        images = [
            keras.utils.load_img(path, target_size=size, interpolation="bilinear")
            for path in rows["poster"]
        ]
        pixels = keras.applications.vgg16.preprocess_input(np.stack(images).astype("float32"))
        bags = vectorizer.transform(rows["tags"]).toarray().astype("float32")
        return [backbone.predict(pixels, verbose=0), bags]

    image, bag = ak.Input(), ak.Input()
    joined = ak.Merge()([ak.DenseBlock()(image), ak.DenseBlock()(bag)])
    scores = ak.ClassificationHead(multi_label=True)(joined)
    model = ak.AutoModel([image, bag], scores, max_trials=10, directory=task.folder, seed=task.seed)
    model.fit(inputs(task.train), task.labels.to_numpy(), epochs=task.epochs, verbose=2)
    # Its own `predict` returns 0 and 1, which have no order within them.
    return model.export_model().predict(inputs(task.test), verbose=0)
    # end of user code
