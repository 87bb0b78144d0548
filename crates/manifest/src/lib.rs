//! ami-bake: the manifest room.
