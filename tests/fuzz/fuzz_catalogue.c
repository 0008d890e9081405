/* SPDX-License-Identifier: Apache-2.0 */
/* config/: the providers' catalogue as YAML: settings.h. */
#include "settings.h"

SETTINGS_TARGET(FILE_CATALOGUE)
