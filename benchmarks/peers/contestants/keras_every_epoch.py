from typing import Any


def fit_predict(task: Any) -> Any:
    # user code
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(task.seed)
    size = (task.image_size, task.image_size)
    vectorizer = layers.TextVectorization(
        standardize="lower", split=lambda text: tf.strings.split(text, "|"), output_mode="multi_hot"
    )
    vectorizer.adapt(["|".join(tags) for tags in task.train["tags"]])

    def read_image(path: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return keras.applications.vgg16.preprocess_input(
            tf.image.resize(image, size, antialias=True)
        )

    def inputs(rows: Any) -> Any:
        images = tf.data.Dataset.from_tensor_slices(rows["poster"].tolist())
        images = images.map(read_image, num_parallel_calls=tf.data.AUTOTUNE)
        bags = vectorizer(tf.constant(["|".join(tags) for tags in rows["tags"]]))
        return tf.data.Dataset.zip(images, tf.data.Dataset.from_tensor_slices(bags))

    backbone = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(*size, 3), pooling="avg"
    )
    backbone.load_weights(task.weights)
    backbone.trainable = False
    image = keras.Input((*size, 3))
    bag = keras.Input((vectorizer.vocabulary_size(),))
    features = layers.Dropout(0.2)(backbone(image, training=False))
    hidden = layers.Dense(128, activation="relu")(layers.Concatenate()([features, bag]))
    scores = layers.Dense(task.labels.shape[1], activation="sigmoid")(hidden)
    model = keras.Model([image, bag], scores)
    model.compile("adam", "binary_crossentropy")
    labels = tf.data.Dataset.from_tensor_slices(task.labels.to_numpy("float32"))
    train = tf.data.Dataset.zip(inputs(task.train), labels).shuffle(256, seed=task.seed)
    model.fit(train.batch(32).prefetch(tf.data.AUTOTUNE), epochs=task.epochs, verbose=2)
    test = inputs(task.test).map(lambda image, bag: ((image, bag),))
    return model.predict(test.batch(32), verbose=0)
    # end of user code
