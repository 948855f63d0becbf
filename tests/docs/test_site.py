# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The docs site can be built, and nothing in it leads nowhere."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.environments import provided
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT

# Ansible's own pages, and those of other collections, are found in the network only.
ELSEWHERE = re.compile(
    r"undefined label: '(action_plugins|ansible_configuration_settings|common_return_values|ansible_collections\.(amazon|ansible|community)\..*)'"
    r"|failed to reach any of the inventories"
)


@dataclass(frozen=True)
class Site:
    """The built site.

    :param pages: the folder of its HTML.
    :param told: what was said while it was built.
    """

    pages: Path
    told: str

    def text(self, page: str) -> str:
        """What a page says, without its markup."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.pages.joinpath(page).read_text()).split())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The site, built once by the command that publishes it."""
    provided("publishing")
    folder, home = tmp_path_factory.mktemp("docs"), tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [CHECKOUT / "tools" / "dev", "docs", "--to", folder / "site"],
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(home.iterdir()) == []
    return Site(Path(done.stdout.strip()).parent, done.stderr)


def test_nothing_is_amiss(site: Site) -> None:
    """Each link leads somewhere, each page is in the contents, and each plugin's documentation is valid."""
    warnings = [line for line in site.told.splitlines() if "WARNING" in line or "ERROR" in line]
    assert [line for line in warnings if not ELSEWHERE.search(line)] == []


def _pages() -> dict[str, str]:
    """The page of each plugin and role, and something that it has to say."""
    modules = {path.stem: "module" for path in CHECKOUT.glob("plugins/modules/*.py")}
    filters = {path.stem: "filter" for path in CHECKOUT.glob("plugins/filter/*.py")}
    roles = {path.name: "role" for path in CHECKOUT.glob("roles/*")}
    names = {**modules, **filters, **roles}
    return {f"{name}_{kind}.html": f"cargohold.ecr.{name} {kind}" for name, kind in names.items()}


@pytest.mark.parametrize(("page", "title"), _pages().items(), ids=_pages())
def test_plugins_and_roles(site: Site, page: str, title: str) -> None:
    """Each of them has a page of its own."""
    assert title in site.text(f"collections/cargohold/ecr/{page}")


@pytest.mark.parametrize("guide", sorted(CHECKOUT.glob("docs/*.md")), ids=lambda guide: guide.stem)
def test_guides(site: Site, guide: Path) -> None:
    """Each page of the checkout is one of the site, and the first page leads to it."""
    title = guide.read_text().partition("\n")[0].removeprefix("# ")
    assert title in site.text(f"docs/{guide.stem}.html")
    assert f'href="docs/{guide.stem}.html"' in site.pages.joinpath("index.html").read_text()
