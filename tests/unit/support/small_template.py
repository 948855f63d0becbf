# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As little of a template as a stack with a repository needs."""

from __future__ import annotations

TEMPLATE = """
Parameters:
  IAMUserName: {Type: String}
  EmptyOnDelete: {Type: String, Default: "false"}
Resources:
  ECRRepository: {Type: AWS::ECR::Repository}
"""
