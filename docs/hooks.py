"""What MkDocs does beyond its config: pages at the root of the repository, and links between all.

Every link is relative to its file in the repository, so that the pages can be read there. The site
has other paths: README.md is its front page, and CONTRIBUTING.md, CHANGELOG.md and LICENSE stand
beside the pages of docs/.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "LICENSE": "LICENSE.txt",
    "CITATION.cff": "CITATION.cff",
}
"""Files at the root, and their names on the site."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files at the root."""
    for source, target in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if target.endswith(".md"):
            text = relinked(text, source)
        if target == "index.md":  # the front page is alone in its section
            text = f"---\nhide: [navigation]\n---\n{text}"
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Point the links of a page of docs/ at the site."""
    if page.file.src_uri in PAGES.values():
        return markdown
    return relinked(markdown, f"docs/{page.file.src_uri}")


def relinked(text: str, source: str) -> str:
    """The text of a file of the repository, with the links that it has on the site."""
    here = posixpath.dirname(site_path(source))

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        return posixpath.relpath(site_path(target), here or ".")

    return LINK.sub(link, text)


def site_path(path: str) -> str:
    """Where a file of the repository is on the site."""
    return PAGES.get(path, path.removeprefix("docs/"))
