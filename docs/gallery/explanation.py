"""
Explanation of one row
======================

What speaks for and against one category of one test icon.
"""

from shared import X_test, ensemble

explanation = ensemble.explain(X_test.loc[["anchor-circle-exclamation"]])
figure = explanation.plot("anchor-circle-exclamation", "Humanitarian")

# %%
# Blue bars speak for the label, orange ones against it. The upper bars are the
# modalities, which add up with the base to the log-odds of the score; the lower ones
# are the terms and words within them.
