"""Sphinx extension: names become links to their objects, or fail the build.

A name in single backticks in a docstring must be one of these; anything else is a nitpicky warning:

- a public object of this package, by its short or its full name: `ImageEncoder`,
  `FeatureStore.prune`, `multimodal_ensemble.metrics`
- a parameter or a documented attribute of any public object of this package: `y_true`
- a builtin, or an object of another library by its full name: `numpy.ndarray`, `keras.Model`

Inline code on a Markdown page has no role. Where it names a public object it becomes a link, and
everywhere else it stays code.
"""

import builtins
import html
import importlib
import inspect
import pkgutil
import re
import sys
from functools import cache

from docutils import nodes
from numpydoc.docscrape import get_doc_object
from sphinx.addnodes import pending_xref
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.inspect import stringify_signature
from sphinx.util.nodes import make_refnode

import multimodal_ensemble

LIBRARIES = {"PIL", "joblib", "keras", "matplotlib", "numpy", "pandas", "scipy", "sklearn"}
# TensorFlow's site has one page per public Keras object, so that the address follows from the name.
KERAS_PAGE = "https://www.tensorflow.org/api_docs/python/tf/{}"
KERAS_MODULES = ["callbacks", "layers", "losses", "optimizers", "utils"]
PILLOW_PAGE = "https://pillow.readthedocs.io/en/stable/reference/{}.html#{}"
MAX_CODE_WIDTH = 88

logger = logging.getLogger(__name__)


@cache
def public_names():
    """Map the short name of each public object to its full name."""
    names = {}
    for module in pkgutil.iter_modules(multimodal_ensemble.__path__, "multimodal_ensemble."):
        if not module.name.rpartition(".")[2].startswith("_"):
            for name in getattr(importlib.import_module(module.name), "__all__", ()):
                names[name] = f"{module.name}.{name}"
    return names


@cache
def parameter_names():
    """Collect the parameters and the documented attributes of all public objects."""
    names = set()
    for full_name in public_names().values():
        item = pkgutil.resolve_name(full_name)
        members = [item]
        for base in inspect.getmro(item) if inspect.isclass(item) else ():
            if base.__module__.startswith("multimodal_ensemble."):
                members += [getattr(base, name) for name in vars(base)]
        # A cached property counts as a routine, although it cannot be called.
        for member in filter(callable, filter(inspect.isroutine, members)):
            names.update(inspect.signature(member).parameters)
        if inspect.isclass(item):
            names.update(name for name, _, _ in get_doc_object(item)["Attributes"])
            names.update(getattr(item, "__dataclass_fields__", ()))
    return names


def full_name_of(name):
    """Return the full name of a public object of this package or one of its members, or None."""
    parts = name.split(".")
    if parts[0] == "multimodal_ensemble":
        is_module = ".".join(parts[:2]) in sys.modules
        parts = parts[2:] if is_module else parts[1:]
    if parts and parts[0] in public_names():
        return ".".join([public_names()[parts[0]], *parts[1:]])
    return None


@cache
def resolve_external(name):
    """Return the object of another library that has this full name, or None."""
    root = name.partition(".")[0]
    if root in LIBRARIES or root in sys.stdlib_module_names or root == "multimodal_ensemble":
        try:
            return pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            return None
    return getattr(builtins, name, None)


def page_of(name):
    """Return the address of the page of a Keras or Pillow object, or None."""
    root, _, rest = name.partition(".")
    if root == "PIL":
        return PILLOW_PAGE.format(rest.partition(".")[0], name)
    if root != "keras":
        return None
    owner, _, short = name.rpartition(".")
    if inspect.isclass(resolve_external(owner)):
        return f"{page_of(owner)}#{short}"
    # An object has several names, and base classes come under a private one.
    for public in [*(f"keras.{module}" for module in KERAS_MODULES), "keras"]:
        if getattr(pkgutil.resolve_name(public), short, None) is resolve_external(name):
            name = f"{public}.{short}"
            break
    return KERAS_PAGE.format(name.replace(".", "/"))


def link_missing(app, env, node, content):
    """Link what Sphinx does not find itself; leave what is known and has no page as code."""
    if node["refdomain"] != "py":
        return None
    name, full_name = node["reftarget"], full_name_of(node["reftarget"])
    objects = env.get_domain("py").objects
    if full_name is None and name not in parameter_names() and "." not in name:
        matches = [key for key in objects if key.endswith(f".{name}")]
        full_name = matches[0] if len(matches) == 1 else None
    owner, _, attribute = (full_name or "").rpartition(".")
    if full_name not in objects and owner in objects and attribute in parameter_names():
        full_name = owner  # a class describes its attributes on its own page
    if full_name in objects:
        found = objects[full_name]
        return make_refnode(
            app.builder, node["refdoc"], found.docname, found.node_id, content, full_name
        )
    item = resolve_external(name)
    if item is not None and page_of(name):
        return nodes.reference("", "", content, internal=False, refuri=page_of(name))
    if item is not None or name in parameter_names():
        return nodes.literal("", content.astext())
    return None


class LinkCode(SphinxPostTransform):
    """Link inline code that names a public object."""

    default_priority = 5  # before Sphinx resolves references

    def run(self, **kwargs):
        for node in list(self.document.findall(nodes.literal)):
            match = re.fullmatch(r"([A-Za-z_][\w.]*)(\(.*\))?", node.astext())
            parents = (nodes.reference, nodes.title, pending_xref)
            if not match or "xref" in node["classes"] or isinstance(node.parent, parents):
                continue
            name = full_name_of(match[1])
            if name is None and match[1].partition(".")[0] in LIBRARIES and "." in match[1]:
                name = match[1] if resolve_external(match[1]) is not None else None
            if name in self.env.get_domain("py").objects or (name and resolve_external(name)):
                reference = pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=name, refexplicit=True
                )
                reference["refdoc"] = self.env.current_document.docname
                node.replace_self(reference)
                reference += node


def check_code_width(app, doctree):
    """Warn of code that is too wide to be read without scrolling."""
    for block in doctree.findall(
        lambda node: isinstance(node, nodes.literal_block | nodes.doctest_block)
    ):
        for line in block.astext().splitlines():
            if len(line) > MAX_CODE_WIDTH:
                logger.warning(
                    "a line of code has %d columns, more than %d: %s",
                    len(line),
                    MAX_CODE_WIDTH,
                    line,
                    location=block,
                )


def describe_constructor(app, what, name, item, options, signature, annotation):
    """Show the constructor's own parameters where a base class hides them behind ``*args``."""
    if signature is None or what not in {"class", "exception"}:
        return None
    parameters = list(inspect.signature(item.__init__).parameters.values())[1:]
    if {"*args", "**kwargs"} <= {str(parameter).split(":")[0] for parameter in parameters}:
        return "", None
    constructor = inspect.Signature(parameters)
    return stringify_signature(
        constructor, show_annotation=False, show_return_annotation=False
    ), None


def hide_private_bases(app, name, item, options, bases):
    """Show the public base classes in place of the private ones of this package."""
    shown = []
    for base in bases:
        is_ours = getattr(base, "__module__", "").startswith("multimodal_ensemble.")
        if is_ours and base.__name__ not in public_names():
            hide_private_bases(app, name, base, options, inner := list(base.__bases__))
            shown += inner
        else:
            shown.append(base)
    bases[:] = dict.fromkeys(shown)


def finish_page(app, page, template, context, doctree):
    """Describe the page, and let the keyboard reach and scroll code, wide tables and pictures."""
    description = html.escape(app.config.names_description)
    context["metatags"] = (
        f'{context.get("metatags", "")}<meta name="description" content="{description}">'
    )
    if "body" in context:
        wide = r'<(?=pre>|div class="(?:table-wrapper|picture))(\w+)'
        context["body"] = re.sub(wide, r'<\1 tabindex="0"', context["body"])
    # Captions in the sidebar are headings without a level.
    context["furo_navigation_tree"] = context.get("furo_navigation_tree", "").replace(
        'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'
    )


def setup(app):
    """Connect the extension to a build."""
    app.add_config_value("names_description", "", "html")
    app.add_post_transform(LinkCode)
    app.connect("missing-reference", link_missing, priority=900)  # after intersphinx
    app.connect("doctree-read", check_code_width)
    app.connect("autodoc-process-signature", describe_constructor)
    app.connect("autodoc-process-bases", hide_private_bases)
    app.connect("html-page-context", finish_page, priority=900)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
