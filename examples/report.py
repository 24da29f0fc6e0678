"""A report as Markdown and as HTML, from the same sections."""

import dataclasses
from pathlib import Path

import pandas as pd

from multimodal_ensemble.reporting import (
    ReportFigure,
    ReportTable,
    to_markdown,
    write_html_report,
)

Part = str | pd.DataFrame | ReportTable | ReportFigure


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading with text, tables and figures; long ones are not shown on the screen."""

    heading: str
    parts: list[Part]
    on_screen: bool = True


@dataclasses.dataclass(frozen=True)
class Report:
    """The report, which is written as Markdown and as HTML from the same sections."""

    title: str
    sections: list[Section]

    def to_markdown(self, *, for_screen: bool = False) -> str:
        """Return the report without its figures, and for a screen without long sections."""
        blocks = [f"# {self.title}"]
        for section in self.sections:
            if for_screen and not section.on_screen:
                continue
            blocks.append(f"## {section.heading}")
            for part in section.parts:
                match part:
                    case str():
                        blocks.append(part)
                    case pd.DataFrame():
                        blocks.append(to_markdown(part))
                    case ReportTable():
                        blocks += [f"### {part.caption}", to_markdown(part.table)]
        return "\n\n".join(blocks) + "\n"

    def write(self, out: Path) -> None:
        """Write ``report.md`` and ``report.html``."""
        (out / "report.md").write_text(self.to_markdown(), encoding="utf-8")
        sections = {section.heading: section.parts for section in self.sections}
        write_html_report(out / "report.html", self.title, sections)
