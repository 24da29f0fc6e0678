from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    import cv2
    import numpy as np
    import torch
    from _torch_vgg16 import FrozenVGG16
    from ludwig.api import LudwigModel

    # Its VGG16 takes weights of torchvision with the top only, at 224 pixels, so it gets features.
    backbone = FrozenVGG16(task.weights)

    def read(rows: Any) -> Any:
        features = []
        for path in rows["poster"]:
            pixels = cv2.resize(
                cv2.imread(path), (task.image_size,) * 2, interpolation=cv2.INTER_AREA
            )
            batch = torch.from_numpy(pixels.astype("float32").transpose(2, 0, 1)[None])
            features.append(" ".join(map(str, backbone(batch)[0].tolist())))
        tags = [" ".join(tag.replace(" ", "_") for tag in tags) for tags in rows["tags"]]
        return rows.assign(poster=features, tags=tags)

    train = read(task.train)
    for name in task.labels:
        train[name] = task.labels[name].to_numpy() > 0
    config = {
        "input_features": [
            {"name": "poster", "type": "vector"},
            {"name": "tags", "type": "set"},
        ],
        "output_features": [{"name": name, "type": "binary"} for name in task.labels],
        "trainer": {"epochs": task.epochs},
        # By default, it would leave out a fifth of these rows for a test of its own.
        "preprocessing": {"split": {"type": "random", "probabilities": [0.9, 0.1, 0.0]}},
    }
    model = LudwigModel(config)
    model.train(train, output_directory=task.folder, random_seed=task.seed)
    predictions, _ = model.predict(read(task.test), skip_save_predictions=True)
    return np.stack([predictions[f"{name}_probabilities_True"] for name in task.labels], axis=1)
    # end of user code
