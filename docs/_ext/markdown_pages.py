"""Every page as Markdown beside its HTML, and ``llms.txt``, a list of them.

The Markdown builder knows no types of parameters (classifiers), numbered references (citations),
signs for keyword-only parameters (abbreviations), captions, links that are whole cards, and
pictures of the gallery: they are put into nodes that it can write. Pictures are those that the HTML
builder has copied.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_design.shared import PassthroughTextElement
from sphinx_gallery.directives import imgsgnode


class Plain(SphinxPostTransform):
    """Rewrite a page for the Markdown builder."""

    default_priority = 900
    builders = ("markdown",)

    def run(self, **kwargs: Any) -> None:
        """Rewrite."""
        for node in list(self.document.findall(nodes.classifier)):
            node.parent.remove(node)
            node.parent.next_node(nodes.term).append(nodes.inline("", f" : {node.astext()}"))
        for node in list(self.document.findall(nodes.citation)):
            label, *body = node.children
            body[0].insert(0, nodes.Text(f"[{label.astext()}] "))
            node.replace_self(body)
        for node in list(self.document.findall(nodes.abbreviation)):
            node.replace_self(nodes.Text(node.astext()))
        for kind in (nodes.caption, PassthroughTextElement):
            for node in list(self.document.findall(kind)):
                node.replace_self(nodes.paragraph("", "", *node.children))
        images = "../" * self.env.docname.count("/") + "_images"
        for node in self.document.findall(nodes.image):
            if node["uri"] in self.env.images:
                node["uri"] = f"{images}/{self.env.images[node['uri']][1]}"
        for node in list(self.document.findall(imgsgnode)):
            uri = f"{images}/{Path(node['uri']).name}"
            node.replace_self(nodes.image(uri=uri, alt=node["alt"]))


def write_list(app: Sphinx, failure: Exception | None) -> None:
    """Write ``llms.txt``."""
    if app.builder.name == "markdown" and failure is None:
        titles = sorted((page, title.astext()) for page, title in app.env.titles.items())
        rows = "".join(f"- [{title}]({page}.md)\n" for page, title in titles)
        Path(app.outdir, "llms.txt").write_text(f"# {app.config.project}\n\n{rows}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of both."""
    app.add_post_transform(Plain)
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
