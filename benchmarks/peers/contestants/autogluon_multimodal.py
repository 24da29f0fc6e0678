from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    import numpy as np
    from autogluon.multimodal import MultiModalPredictor

    def read(rows: Any) -> Any:
        return rows.assign(tags=[", ".join(tags) for tags in rows["tags"]])

    train, test = read(task.train), read(task.test)
    scores = []
    # It predicts one label.
    for name in task.labels:
        predictor = MultiModalPredictor(label=name, eval_metric="roc_auc", path=task.folder / name)
        predictor.fit(
            train.assign(**{name: task.labels[name].to_numpy()}),
            hyperparameters={"optim.max_epochs": task.epochs},
            seed=task.seed,
        )
        scores.append(predictor.predict_proba(test)[1])
    return np.stack(scores, axis=1)
    # end of user code
