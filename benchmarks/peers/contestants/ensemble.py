from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    from multimodal_ensemble import (
        BagOfWordsEncoder,
        ImageEncoder,
        MultimodalEnsemble,
        TagEmbeddingEncoder,
    )

    poster = ImageEncoder(
        "poster", backbone="VGG16", weights=task.weights, image_size=task.image_size
    )
    # The encoders of tags that "auto" chooses.
    tags = [BagOfWordsEncoder("tags"), TagEmbeddingEncoder("tag_vectors", column="tags")]
    ensemble = MultimodalEnsemble([poster, *tags], store=task.folder, random_state=task.seed)
    ensemble.fit(task.train, task.labels)
    return ensemble.predict_proba(task.test)
    # end of user code
