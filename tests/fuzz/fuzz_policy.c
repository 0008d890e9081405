/* SPDX-License-Identifier: Apache-2.0 */
/* config/: the policy as YAML: settings.h. */
#include "settings.h"

SETTINGS_TARGET(FILE_POLICY)
