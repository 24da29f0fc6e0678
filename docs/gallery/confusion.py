"""
Which labels are predicted in place of others
=============================================

The mistakes of an ensemble on 260 test icons.
"""

from multimodal_ensemble.reporting import plot_label_confusion
from shared import X_test, ensemble, y_test

figure = plot_label_confusion(y_test, ensemble.predict(X_test), unit="icons")

# %%
# Of the icons with the category of a row, the dark cells say which wrong category was
# predicted while this one was missed. The grey diagonal is the share that was found
# (the recall).
