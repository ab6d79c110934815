"""A page read without a browser: its words, elements and forms."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        words: all text.
        elements: every element with its attributes.
    """

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.words, self.elements, self.open = "", [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in ("path", "line", "rect", "option"):
            if self.open and self.open[-1] == tag:
                self.open.pop()
            return
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words += data

    def all(self, tag):
        """Attributes of every element of that name."""
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def links(self):
        return [attrs["href"] for attrs in self.all("a")]

    def token(self):
        """The token of its first form that has one."""
        return next(a["value"] for a in self.all("input") if a.get("name") == "token")


def page(response):
    """The page of a response."""
    return Page(response.text)
