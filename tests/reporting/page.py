"""HTML pages, read back with a parser."""

import html.parser


class Page(html.parser.HTMLParser):
    """Collects elements and texts, and checks that elements are closed in order."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1], data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def texts_of(self, tag):
        return [text for name, text in self.texts if name == tag]

    @property
    def text(self):
        return " ".join(text for tag, text in self.texts if tag not in ("style", "script"))
