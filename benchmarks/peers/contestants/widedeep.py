from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    import torch
    from _torch_vgg16 import FrozenVGG16
    from pytorch_widedeep import Trainer
    from pytorch_widedeep.losses_multitarget import MultiTargetClassificationLoss
    from pytorch_widedeep.models import TabMlp, WideDeep
    from pytorch_widedeep.preprocessing import ImagePreprocessor, TabPreprocessor
    from sklearn.feature_extraction.text import CountVectorizer

    torch.manual_seed(task.seed)
    vectorizer = CountVectorizer(analyzer=lambda tags: [tag.lower() for tag in tags], binary=True)
    vectorizer.fit(task.train["tags"])
    names = [f"tag_{number}" for number in range(len(vectorizer.vocabulary_))]

    def bags(rows: Any) -> Any:
        values = vectorizer.transform(rows["tags"]).toarray().astype("float32")
        return type(rows)(values, columns=names)

    tabular = TabPreprocessor(continuous_cols=names)
    posters = ImagePreprocessor(
        "poster", img_path="", width=task.image_size, height=task.image_size
    )
    train = {
        "X_tab": tabular.fit_transform(bags(task.train)),
        "X_img": posters.fit_transform(task.train).astype("float32"),
        "target": task.labels.to_numpy(),
    }
    test = {
        "X_tab": tabular.transform(bags(task.test)),
        "X_img": posters.transform(task.test).astype("float32"),
    }
    n_labels = task.labels.shape[1]
    # The components of the library have no way to own weights, but any module may take their place.
    backbone = FrozenVGG16(task.weights)
    backbone.output_dim = 512
    mlp = TabMlp(column_idx=tabular.column_idx, continuous_cols=names)
    model = WideDeep(deeptabular=mlp, deepimage=backbone, pred_dim=n_labels)
    trainer = Trainer(
        model,
        objective="multitarget",
        custom_loss_function=MultiTargetClassificationLoss(binary_config=[*range(n_labels)]),
        seed=task.seed,
    )
    trainer.fit(X_train=train, n_epochs=task.epochs, batch_size=32)
    return trainer.predict_proba(X_test=test)
    # end of user code
