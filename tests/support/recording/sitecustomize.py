# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has every Python that has this folder on its path write down which calls of AWS it makes, one a line.

Python imports it by its name. The calls go to the file that C(RECORD_CALLS) names, as IAM spells actions: C(ecr:PutImage).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from botocore.model import OperationModel
from botocore.session import Session

_make = Session.__init__


def _record(**event: Any) -> None:
    model: OperationModel = event["model"]
    with Path(os.environ["RECORD_CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(f"{model.service_model.signing_name}:{model.name}\n")


def _make_recording(self: Session, *args: Any, **kwargs: Any) -> None:
    _make(self, *args, **kwargs)
    self.register("before-call", _record)


Session.__init__ = _make_recording  # type: ignore[method-assign]
