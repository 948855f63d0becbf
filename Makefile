# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Thin targets; tools/dev does the work, and says more with `tools/dev help`.

.DEFAULT_GOAL := help
.PHONY: help env demo docs test check lock clean

help env demo docs lock clean:
	@tools/dev $@

# Options for pytest: make test ARGS="-k policy -x"
test check:
	@tools/dev $@ $(ARGS)
