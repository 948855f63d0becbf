# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates that tests deploy: the one that is shipped, and others that end otherwise."""

from __future__ import annotations

from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT

TEMPLATE = (CHECKOUT / "files" / "ecr.yml").read_text()

TUTORIAL = (CHECKOUT / "tests" / "assets" / "tutorial-ecr.yml").read_text()

# The one that is shipped, and beside the repository something that ends when and as it is told.
SLOW = TEMPLATE.replace(
    "\nOutputs:\n",
    """
  Slow:
    Type: AWS::CloudFormation::WaitCondition
    CreationPolicy:
      ResourceSignal:
        Timeout: PT5M

Outputs:
""",
)

# A repository beside something that cannot be created.
FAILING = """
Resources:
  ECRRepository:
    Type: AWS::ECR::Repository
    Properties:
      RepositoryName: !Ref AWS::StackName
  Impossible:
    Type: AWS::CloudFormation::WaitCondition
"""

# A stack that has nothing to do with repositories.
UNRELATED = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n"
