"""Settings of the documentation: ``make docs``, or ``make docs-quick`` without the examples' run.

Nothing is fetched in a build, and no page asks for anything that does not lie beside it.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "_ext")]

import inventories  # noqa: E402
import numpydoc.xref  # noqa: E402
from api_reference import NAMES  # noqa: E402
from drawings.house import draw as draw_house  # noqa: E402
from drawings.network import draw as draw_network  # noqa: E402

import skosteo  # noqa: E402

project = "skosteo"
author = "the skosteo developers"
copyright = author
version = release = skosteo.__version__
language = "en-GB"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx_markdown_builder",
    "sphinxext.opengraph",
    "api_pages",
    "markdown_pages",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
nitpicky = True
default_role = "name"  # of api_pages: a link where a docstring's `backticks` name something public
smartquotes = False  # types of parameters have straight ones
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

toc_object_entries_show_parents = "hide"
autosummary_generate = False
autodoc_preserve_defaults = True  # a default by its name, not its value
autodoc_typehints = "none"  # docstrings have the types, in words
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but for these
numpydoc_xref_aliases = {name.rpartition(".")[2]: name for name in NAMES} | {
    "array-like": ":term:`array-like <numpy:array_like>`",
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "ndarray": "numpy.ndarray",
    "RandomState": "numpy.random.RandomState",
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
}
# Other words that numpydoc knows, such as int, stay words
for word in numpydoc.xref.DEFAULT_LINKS:
    numpydoc_xref_aliases.setdefault(word, word)

intersphinx_mapping = inventories.compile_all(HERE / "inventories", HERE / "_build/inventories")

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["auto_examples"],
    # minutes each: `make demo`, `make clinical` and `make study`
    "ignore_pattern": r"^(quickstart|clinical_side|study)\.py",
    "within_subsection_order": "FileNameSortKey",
    "filename_pattern": r"/plot_",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "remove_config_comments": True,
    "capture_repr": (),  # what is printed, and no <Axes: ...>
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
ogp_social_cards = {"enable": False}

mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}  # its menu would fetch what is not here

html_theme = "pydata_sphinx_theme"
html_title = f"skosteo {release}"
html_static_path = ["_static"]
html_css_files = ["skosteo.css"]
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "skosteo"},
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc", "as-markdown"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

draw_network(HERE / "guide/network.svg")
draw_house(HERE / "contributing" / "house.svg")
