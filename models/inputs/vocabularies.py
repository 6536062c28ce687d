"""The vocabularies beside a SavedModel, for callers of ``rank_ids`` who look ids up themselves.

``assets.extra/vocabularies.json`` has an entry for each input of ``rank_ids`` that is an id, by its name:

=================  ====================================================================================
``feature``        the feature whose names are looked up
``vocabulary``     the file, relative to the SavedModel's folder: one name a line, UTF-8; null if it has none
``first_id``       the id of its first line; those of the others follow
``size``           how many lines it has
``hash_buckets``   ids ``first_id + size + Fingerprint64(name) mod hash_buckets`` for names that are not
                   in the file, FarmHash's; 0 where there are none
``unknown``        the id of a name that is not in the file, where there are no buckets
``joined_by``      set where a line is a whole category path, from the top, joined by this
=================  ====================================================================================

A category level's id of a known leaf stands for its whole path: what is given for the levels above makes no difference.
"""

import json
import os

import tensorflow as tf
import tensorflow_transform as tft

from models.inputs.features import id_name
from models.inputs.hierarchy import SEPARATOR, CategoryHierarchy, asset_name
from schemas.log_schema import LogSchema

VOCABULARIES_FILE = "vocabularies.json"


def write_vocabularies(
    folder: str, schema: LogSchema, hierarchy: CategoryHierarchy, transform_output: tft.TFTransformOutput
) -> None:
    """Writes the file described above into the SavedModel at ``folder``."""

    def file(name: str) -> str | None:
        path = transform_output.vocabulary_file_by_name(name)
        return path and f"{tf.saved_model.ASSETS_DIRECTORY}/{os.path.basename(path)}"

    entries = {}
    for number, (feature, level) in enumerate(zip(schema.categories, hierarchy.levels, strict=True), start=1):
        entries[id_name(feature)] = {
            "feature": feature.name,
            "vocabulary": file(asset_name(number)) if level.keys else None,
            "first_id": 1,
            "size": len(level.keys),
            "hash_buckets": 0,
            "unknown": 0,
        }
        if hierarchy.conflicts == "split" and number > 1:
            entries[id_name(feature)]["joined_by"] = SEPARATOR
    for feature in (*schema.categorical, *schema.histories):
        owner = schema.vocabulary_of(feature)
        entries[id_name(feature)] = {
            "feature": feature.name,
            "vocabulary": file(owner.name),
            "first_id": 0,
            "size": transform_output.vocabulary_size_by_name(owner.name),
            "hash_buckets": owner.hash_buckets,
        }
    extra = os.path.join(folder, "assets.extra")
    tf.io.gfile.makedirs(extra)
    with tf.io.gfile.GFile(os.path.join(extra, VOCABULARIES_FILE), "w") as out:
        json.dump(entries, out, indent=2)
