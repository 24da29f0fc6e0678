"""
Explanation of one row
======================

What speaks for and against the category Business of one test icon, a line chart.
"""

from shared import X_test, ensemble

explanation = ensemble.explain(X_test.loc[["chart-line"]])
figure = explanation.plot("chart-line", "Business")

# %%
# Blue bars speak for the label, orange ones against it. The upper bars are the
# modalities, which add up with the base to the log-odds of the score; the lower ones
# are the terms and words within them.
