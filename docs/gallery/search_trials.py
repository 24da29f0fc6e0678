"""
Trials of a parameter search
============================

Twelve trials of a decision tree on invented data: a generated problem of three labels.
"""

from sklearn.datasets import make_multilabel_classification
from sklearn.tree import DecisionTreeClassifier

from multimodal_ensemble import tune
from multimodal_ensemble.reporting import plot_trials

X, y = make_multilabel_classification(n_samples=200, n_classes=3, random_state=1)
result = tune(
    DecisionTreeClassifier(random_state=1),
    X,
    y,
    {"min_samples_leaf": (1, 40), "criterion": ["gini", "entropy"]},
    n_trials=12,
    cv=3,
    random_state=1,
    verbose=0,
)
figure = plot_trials(result.trials)

# %%
# The line is the best score so far. Hollow dots are trials that were stopped after
# their first folds. Once the line is flat for long, more trials bring little.
