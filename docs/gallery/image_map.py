"""
Regions of an image
===================

Which regions of the picture of one test icon speak for the category Arrows.
"""

from shared import X_test, ensemble

(image_map,) = ensemble.explain_image(X_test.loc[["circle-arrow-right"]], "Arrows")
figure = image_map.plot()

# %%
# Each region is covered in turn, and its value is the fall in log-odds. The network for
# pictures has random weights here, so its map says less than that of a pretrained one.
