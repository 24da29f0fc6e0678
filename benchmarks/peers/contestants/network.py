from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    from multimodal_ensemble import BagOfWordsEncoder, ImageEncoder, MultimodalClassifier

    poster = ImageEncoder(
        "poster", backbone="VGG16", weights=task.weights, image_size=task.image_size
    )
    network = MultimodalClassifier(
        [poster, BagOfWordsEncoder("tags")], store=task.folder, random_state=task.seed
    )
    network.fit(task.train, task.labels)
    return network.predict_proba(task.test)
    # end of user code
