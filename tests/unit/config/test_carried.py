"""Whatever a training was set to, its result carries it: no setting keeps the preset out of the metadata."""

import tomllib

from tests.trainer.every_setting.test_every_setting import ENTRIES, changed, laid_over, tables_of
from trainer_core.config.carried import carried_preset
from trainer_core.config.fields import all_fields
from trainer_core.config.layer import settings_of
from trainer_core.config.schema import Config


def test_every_setting_that_a_preset_can_have_is_carried():
    for key, entry in ENTRIES.items():
        field = all_fields()[key]
        tables = changed(laid_over(tables_of(entry), entry.get("also", {})), key, entry["value"])
        carried = carried_preset(Config.model_validate({"schema": 1, **tables}))
        assert carried is not None, key
        named = {named.field.key: named.value for named in settings_of(tomllib.loads(carried))}
        if field.binding or field.about.personal:
            assert named.get(key) in (None, field.default), key
        elif not key.startswith("preset."):
            assert named.get(key) == entry["value"], key
