from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    import keras
    import numpy as np
    from scipy.sparse import csr_array, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import StandardScaler

    size = (task.image_size, task.image_size)
    backbone = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(*size, 3), pooling="avg"
    )
    backbone.load_weights(task.weights)

    def features(rows: Any) -> Any:
        images = [
            keras.utils.load_img(path, target_size=size, interpolation="bilinear")
            for path in rows["poster"]
        ]
        pixels = keras.applications.vgg16.preprocess_input(np.stack(images).astype("float32"))
        return backbone.predict(pixels, verbose=0)

    scaler = StandardScaler()
    vectorizer = TfidfVectorizer(analyzer=lambda tags: [tag.lower() for tag in tags])
    train = hstack([
        csr_array(scaler.fit_transform(features(task.train))),
        vectorizer.fit_transform(task.train["tags"]),
    ])  # fmt: skip
    test = hstack([
        csr_array(scaler.transform(features(task.test))),
        vectorizer.transform(task.test["tags"]),
    ])  # fmt: skip
    penalties = {"C": np.logspace(-4, 2, 7)}
    search = GridSearchCV(LogisticRegression(max_iter=1000), penalties, scoring="roc_auc", cv=5)
    model = OneVsRestClassifier(search).fit(train, task.labels.to_numpy())
    return model.predict_proba(test)
    # end of user code
