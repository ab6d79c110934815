"""A page taken apart, and hostile text to put into it."""

from html.parser import HTMLParser

import numpy as np

EVIL = (
    "</style></title></script></pre></svg><script>document.title='ran'</script>"
    "<svg onload=\"document.title='ran'\"><a href=\"javascript:document.title='ran'\">"
    "<img src=x onerror=\"document.title='ran'\">\" onmouseover=\"x\" style='' x='{{ 7 * 7 }}"
    "data:text/html,<script>\u202eabc\x00\x1b[31m\ud83d]]><![CDATA[&lt;"
)

VOID = ("meta", "br")


class Page(HTMLParser):
    """A page taken apart: its tags with their attributes, its text, and what is left open."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.styles, self.pieces = [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.styles if self.open[-1:] == ["style"] else self.pieces).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.pieces).split())

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def objects(*values):
    """Anything as an array of objects."""
    made = np.empty(len(values), object)
    made[:] = values
    return made
