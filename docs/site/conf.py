# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx's configuration for the docs site, which tools/docs.py builds."""

from __future__ import annotations

project = "cargohold.ecr"
author = "The cargohold.ecr contributors"
project_copyright = author
title = "cargohold.ecr"
html_title = "cargohold.ecr"
html_short_title = "cargohold.ecr"

extensions = [
    "myst_parser",
    "sphinx.ext.intersphinx",
    "sphinx_antsibull_ext",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
]

# The README is the first page, by way of index.md; roles' own pages are made from their argument specs.
exclude_patterns = ["README.md", "docs/site"]

# Mermaid's blocks are fenced as GitHub has them; links may lead to headings.
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
mermaid_height = "640px"
mermaid_fullscreen = False

# A prompt is not copied.
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"

pygments_style = "ansible"
highlight_language = "YAML+Jinja"

html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "display_version": False,
    "topbar_links": {},
}
html_show_sphinx = False
html_use_smartypants = True
html_use_modindex = False
html_use_index = False
html_copy_source = False

# Option names in the modules' pages refer to one another.
default_role = "any"

# Where it cannot be reached, links to Ansible's own pages are text.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/latest/", None)}
intersphinx_timeout = 5
